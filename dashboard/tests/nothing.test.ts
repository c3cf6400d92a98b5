import { expect, test } from "vitest";
import type { Earthquake } from "../src/earthquake.ts";
import { formatter } from "../src/format.ts";
import { reasonOf } from "../src/nothing.ts";
import { type Asked, INITIAL } from "../src/state.ts";

const format = formatter({ language: "en", zone: "utc", units: "km" });
const NOW = 1_600_000_000_000;
const one = {
  id: "a",
  magnitude: 4,
  mode: "actual",
  timestamp: NOW - 1000,
  location: { latitude: 0, longitude: 0, depth: 10 },
} as Earthquake;
const why = (change: Partial<Asked>, known: Earthquake[] = [one], beyond = false): ReturnType<typeof reasonOf> =>
  reasonOf({ ...INITIAL, period: "day", ...change } as Asked, null, known, beyond, NOW, format);

test("it says what was looked for, and the one step that helps", () => {
  const nine = why({ minmagnitude: 9 });
  expect(nine.says).toBe("No earthquake of M 9 or more in the last day.");
  expect(nine.way?.label).toBe("Show all sizes");
  expect(nine.way?.change).toMatchObject({ minmagnitude: null, maxmagnitude: null, period: "day" });
  expect(why({ minmagnitude: 4.5, mindepth: 300 }).says).toBe(
    "No earthquake of M 4.5 or more, at ≥ 300 km of depth in the last day.",
  );
  expect(why({ mindepth: 300 }).way?.change).toMatchObject({ mindepth: null });
  expect(why({ mode: "test" }).way?.change).toMatchObject({ mode: "all" });
});

test("where nothing is known, a longer time may help", () => {
  expect(why({}, []).says).toBe("No earthquakes in this window yet. New ones appear here by themselves.");
  expect(why({ mode: "test" }, []).says).toBe("No earthquake in the last day.");
  expect(why({}, []).way?.change).toMatchObject({ period: "week" });
  expect(why({ period: "week" }, []).way?.change).toMatchObject({ period: "all" });
  expect(why({ period: "all" }, []).way).toBeNull();
  expect(why({ starttime: NOW - 10, endtime: NOW }, []).way?.change).toMatchObject({ starttime: null, endtime: null });
});

test("bounds that contradict each other are told", () => {
  const contrary = why({ minmagnitude: 6, maxmagnitude: 2 });
  expect(contrary.says).toContain("contradict");
  expect(contrary.way?.change).toMatchObject({ minmagnitude: null, maxmagnitude: null });
});

test("beyond the map's edge", () => {
  expect(why({ onmap: true }, [one], true).way?.change).toEqual({ onmap: false });
});
