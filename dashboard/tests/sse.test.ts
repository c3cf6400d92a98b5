import { expect, test } from "vitest";
import { EventParser, type ServerEvent } from "../src/sse.ts";

const STREAM =
  'retry: 1500\n\nevent: live\nid: e-1\ndata: {"seq":1}\n\nid: e-2\n\n: comment\n\nevent: created\r\nid: e-3\r\ndata: one\r\ndata:two\r\n\r\n';

const EVENTS: ServerEvent[] = [
  { event: "message", data: null, id: "" },
  { event: "live", data: '{"seq":1}', id: "e-1" },
  { event: "message", data: null, id: "e-2" },
  { event: "created", data: "one\ntwo", id: "e-3" },
];

test("events, heartbeats and comments are told apart", () => {
  expect(new EventParser().feed(STREAM)).toEqual(EVENTS);
});

test("however the stream is cut, the events are the same", () => {
  for (let size = 1; size < 20; size++) {
    const parser = new EventParser();
    const events: ServerEvent[] = [];
    for (let at = 0; at < STREAM.length; at += size) events.push(...parser.feed(STREAM.slice(at, at + size)));
    expect(events).toEqual(EVENTS);
  }
});

test("an event without its end is not told", () => {
  expect(new EventParser().feed("event: created\ndata: half")).toEqual([]);
});
