import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Answers } from "../src/answers.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What is asked, and what becomes of it. */
function asking(): { asked: string[]; come: () => void; came: () => number; answers: Answers<string> } {
  let came = 0;
  const come = (): void => void came++;
  return { asked: [], come, came: () => came, answers: new Answers<string>(come) };
}

test("each is asked for once, and told of when it is here", async () => {
  const { asked, came, answers } = asking();
  const ask = (): Promise<string> => {
    asked.push("a");
    return Promise.resolve("A");
  };
  expect(answers.look("a", ask)).toBeNull();
  expect(answers.look("a", ask)).toBeNull(); // at the next frame; it is under way
  await vi.advanceTimersByTimeAsync(0);
  expect([answers.look("a", ask), answers.look("a", ask)]).toEqual(["A", "A"]);
  expect(asked).toEqual(["a"]);
  expect(came()).toBe(1);
});

test("after a failure it is asked for again, but not at once", async () => {
  const { asked, came, answers } = asking();
  const ask = (): Promise<string> => {
    asked.push("a");
    return asked.length === 1 ? Promise.reject(new Error("away")) : Promise.resolve("A");
  };
  answers.look("a", ask);
  await vi.advanceTimersByTimeAsync(9_999);
  expect(answers.look("a", ask)).toBeNull();
  expect([asked.length, came()]).toEqual([1, 0]);
  await vi.advanceTimersByTimeAsync(1);
  expect(answers.look("a", ask)).toBeNull();
  await vi.advanceTimersByTimeAsync(0);
  expect(answers.look("a", ask)).toBe("A");
  expect(asked.length).toBe(2);
});

test("a page that stays open keeps a hundred of them, the latest", async () => {
  const { asked, answers } = asking();
  const look = (name: string): string | null =>
    answers.look(name, () => {
      asked.push(name);
      return Promise.resolve(name);
    });
  for (let n = 0; n < 150; n++) {
    look(`${n}`);
    await vi.advanceTimersByTimeAsync(0);
  }
  expect(look("149")).toBe("149");
  expect(look("50")).toBe("50");
  expect(asked.length).toBe(150);
  expect(look("0")).toBeNull(); // let go, and asked for anew
  expect(asked.length).toBe(151);
});
