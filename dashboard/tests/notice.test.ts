import { expect, test } from "vitest";
import { notice } from "../worker/notice.ts";

const PUSH = {
  key: "ntf_1",
  kind: "alert",
  mode: "actual",
  title: "M 5.6 earthquake, Near Athens",
  body: "Expected shaking at Home: V.\nDetails: https://quakes.example.org/?id=eq_1\nAutomatic information.",
  tag: "eq_1",
  earthquake: "eq_1",
} as const;

test("a push is told in short, without links, and leads to its earthquake", () => {
  expect(notice(PUSH, "?")).toEqual({
    title: "M 5.6 earthquake, Near Athens",
    body: "Expected shaking at Home: V.\nAutomatic information.",
    tag: "eq_1",
    stays: true,
    address: "?id=eq_1",
  });
});

test("what is no real event says so first, once", () => {
  const marked = "ÜBUNG ÜBUNG ÜBUNG (EXERCISE): Erdbeben M 7.0";
  expect(notice({ ...PUSH, mode: "exercise" }, "?").title).toBe("EXERCISE: M 5.6 earthquake, Near Athens");
  expect(notice({ ...PUSH, mode: "test" }, "?").title).toBe("TEST: M 5.6 earthquake, Near Athens");
  expect(notice({ ...PUSH, mode: "exercise", title: marked }, "?").title).toBe(marked);
  expect(notice({ title: PUSH.title, body: "" }, "?").title).toBe("TEST: M 5.6 earthquake, Near Athens");
  expect(notice({ ...PUSH, mode: "exercise" }, "?").stays).toBe(false);
});

test("one of no earthquake leads to the alerts; an id can't lead elsewhere", () => {
  expect(notice({ ...PUSH, earthquake: "" }, "?").address).toBe("?view=alerts");
  expect(notice({ ...PUSH, earthquake: "//evil.example/?a&b" }, "?").address).toBe("?id=%2F%2Fevil.example%2F%3Fa%26b");
});

test("one that can't be read is told of all the same", () => {
  for (const data of [null, "text", 5, {}, { title: 5, body: "" }]) {
    expect(notice(data, "unreadable")).toMatchObject({ title: "Quakestream", body: "unreadable" });
  }
});
