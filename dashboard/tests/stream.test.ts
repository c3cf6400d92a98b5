// One connection for several tabs: what each is told, whoever comes and goes.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Stream, type Wish, type Word } from "../src/stream.ts";
import { type Reply, Switchboard } from "../src/switchboard.ts";

let server: Server;
let streams: { lastId: string; query: string; answer: ServerResponse }[];
let url: string;
let stream: Stream;

beforeEach(async () => {
  streams = [];
  server = createServer((request: IncomingMessage, answer) => {
    answer.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders();
    const { search } = new URL(request.url ?? "", "http://localhost");
    streams.push({ lastId: String(request.headers["last-event-id"]), query: search, answer });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/stream`;
  stream = new Stream(url);
  vi.spyOn(Math, "random").mockReturnValue(0);
});

afterEach(async () => {
  for (const name of ["a", "b", "c"]) stream.leave(name);
  vi.restoreAllMocks();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const at = (seq: number, epoch = "e", least: number | null = null): Wish => ({ epoch, seq, least });
const say = (...seqs: number[]): void =>
  void streams
    .at(-1)
    ?.answer.write(seqs.map((seq) => `event: created\nid: e-${seq}\ndata: {"seq":${seq}}\n\n`).join(""));
const opened = (n: number): Promise<void> =>
  vi.waitFor(() => expect(streams.length).toBe(n), { timeout: 20_000, interval: 5 });

function ear(): { tell: (word: Word) => void; seqs: () => number[]; words: Word[] } {
  const words: Word[] = [];
  return {
    words,
    tell: (word) => void words.push(word),
    seqs: () =>
      words.flatMap((word) =>
        word.what === "changes" ? word.changes.map((text) => (JSON.parse(text) as { seq: number }).seq) : [],
      ),
  };
}

test("all hear over one connection, each what follows its own place, once", async () => {
  const [a, b, c] = [ear(), ear(), ear()];
  stream.join("a", at(5), a.tell);
  await opened(1);
  stream.join("b", at(7), b.tell); // ahead of where the stream is known to be
  say(6, 7, 8);
  await vi.waitFor(() => expect(b.seqs()).toEqual([8]));
  stream.join("c", at(6), c.tell); // a little behind: what is remembered is enough
  say(9);
  await vi.waitFor(() => expect(c.seqs()).toEqual([7, 8, 9]));
  expect([a.seqs(), b.seqs()]).toEqual([
    [6, 7, 8, 9],
    [8, 9],
  ]);
  expect(streams.length).toBe(1);
});

test("for who is farther behind it begins there again, and nobody is told anything twice", async () => {
  const [a, b] = [ear(), ear()];
  stream.join("a", at(5), a.tell);
  await opened(1);
  say(6);
  await vi.waitFor(() => expect(a.seqs()).toEqual([6]));
  stream.join("b", at(2), b.tell);
  await opened(2);
  expect(streams[1]?.lastId).toBe("e-2");
  say(3, 4, 5, 6, 7);
  await vi.waitFor(() => expect(b.seqs()).toEqual([3, 4, 5, 6, 7]));
  expect(a.seqs()).toEqual([6, 7]);
  expect(a.words.filter((word) => word.what === "state" && word.state === "resuming")).toEqual([]);
});

test("it hears of all that any of them wants", async () => {
  stream.join("a", at(5, "e", 5), ear().tell);
  await opened(1);
  stream.join("b", at(5, "e", 2.5), ear().tell);
  await opened(2);
  stream.join("c", at(5), ear().tell);
  await opened(3);
  expect(streams.map(({ query }) => query)).toEqual(["?minmagnitude=5", "?minmagnitude=2.5", ""]);
});

test("it goes on when one leaves, and ends with the last", async () => {
  const [a, b] = [ear(), ear()];
  stream.join("a", at(5), a.tell);
  stream.join("b", at(5), b.tell);
  await opened(1);
  stream.leave("a");
  say(6);
  await vi.waitFor(() => expect(b.seqs()).toEqual([6]));
  expect(a.seqs()).toEqual([]);
  stream.leave("b");
  await vi.waitFor(() => expect(streams[0]?.answer.destroyed).toBe(true));
  expect(streams.length).toBe(1);
});

test("a cut is resumed where it was, without a hole or a double", async () => {
  const a = ear();
  stream.join("a", at(5), a.tell);
  await opened(1);
  say(6, 7);
  await vi.waitFor(() => expect(a.seqs()).toEqual([6, 7]));
  streams[0]?.answer.destroy();
  await opened(2);
  expect(streams[1]?.lastId).toBe("e-7");
  say(7, 8);
  await vi.waitFor(() => expect(a.seqs()).toEqual([6, 7, 8]));
  const states = a.words.flatMap((word) => (word.what === "state" ? word.state : []));
  expect(states).toEqual(["live", "resuming", "live"]);
});

test("a gap is told to all, and each goes on from where it has read its list", async () => {
  const [a, b] = [ear(), ear()];
  stream.join("a", at(5), a.tell);
  stream.join("b", at(5), b.tell);
  await opened(1);
  streams[0]?.answer.write("event: gap\nid: f-40\ndata: {}\n\n");
  await vi.waitFor(() => expect([a, b].every(({ words }) => words.some(({ what }) => what === "gap"))).toBe(true));
  stream.join("a", at(41, "f"), a.tell);
  streams[0]?.answer.write(
    'event: created\nid: f-41\ndata: {"seq":41}\n\nevent: created\nid: f-42\ndata: {"seq":42}\n\n',
  );
  await vi.waitFor(() => expect(a.seqs()).toEqual([42]));
  expect(b.seqs()).toEqual([]); // its place is of another catalogue until it has read the list
  expect(streams.length).toBe(1);
});

test("a tab that does not say that it is here is told nothing more, and can join again", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const board = new Switchboard(stream);
  const [a, b]: [Reply[], Reply[]] = [[], []];
  board.heard("a", { ask: "join", wish: at(5) }, (word) => a.push(word));
  board.heard("b", { ask: "join", wish: at(5) }, (word) => b.push(word));
  await opened(1);
  vi.advanceTimersByTime(50_000);
  board.heard("b", { ask: "here" }, (word) => b.push(word));
  vi.advanceTimersByTime(20_000);
  board.heard("b", { ask: "here" }, (word) => b.push(word)); // and "a" is taken for gone
  say(6);
  await vi.waitFor(() => expect(b.some(({ what }) => what === "changes")).toBe(true));
  expect(a.some(({ what }) => what === "changes")).toBe(false);
  board.heard("a", { ask: "here" }, (word) => a.push(word));
  expect(a.at(-1)).toEqual({ what: "unknown" });
  board.heard("a", { ask: "join", wish: at(5) }, (word) => a.push(word));
  await vi.waitFor(() => expect(a.at(-1)?.what).toBe("changes"));
  board.close();
  vi.useRealTimers();
});
