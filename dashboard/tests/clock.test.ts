import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Clock } from "../src/clock.ts";

const NOW = 1_800_000_000_000;

beforeEach(() => void vi.useFakeTimers({ now: NOW }));
afterEach(() => void vi.useRealTimers());

test("until the server has said what time it is, this machine's clock serves", () => {
  expect(new Clock().nowMs()).toBe(NOW);
});

test("then the page goes by the server's, however wrong this machine's is", () => {
  for (const wrongByMs of [-86_400_000, -1, 0, 7_200_000]) {
    const clock = new Clock();
    clock.set(NOW + wrongByMs);
    expect(clock.nowMs()).toBe(NOW + wrongByMs);
  }
});

test("it goes on between answers, and the last answer holds", () => {
  const clock = new Clock();
  clock.set(NOW + 60_000);
  vi.advanceTimersByTime(10_000);
  expect(clock.nowMs()).toBe(NOW + 70_000);
  clock.set(NOW + 10_500);
  expect(clock.nowMs()).toBe(NOW + 10_500);
  vi.setSystemTime(NOW - 3_600_000); // somebody sets this machine's clock
  clock.set(NOW + 11_000);
  expect(clock.nowMs()).toBe(NOW + 11_000);
});
