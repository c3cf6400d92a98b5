// The connection against a server that listens on this machine: what is asked, in which order, and what is told.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Status } from "../src/api.ts";
import type { Change, Told } from "../src/earthquake.ts";
import { ownLine } from "../src/line.ts";
import { Live } from "../src/live.ts";

/** As the server has one. */
const quake = (id: string, seq: number): Told => ({
  id,
  seq,
  revision: 1,
  firstSeen: 0,
  changed: 0,
  preferred: `us:${id}`,
  events: [`us:${id}`],
  magnitude: 4,
  location: { latitude: 0, longitude: 0, depth: 10 },
  timestamp: 1_000,
  source: "us",
  mode: "actual",
  status: "automatic",
  type: "earthquake",
});

interface Streamed {
  query: string;
  lastId: string | undefined;
  answer: ServerResponse;
}

/** A consumer in small: its catalogue's numbers, its list, and the streams that were opened. */
class Consumer {
  epoch = "e1";
  seq = 5;
  list: Told[] = [quake("a", 5)];
  next: string | null = null;
  /** Whether the list's pages are as long as they are asked to be. */
  paged = false;
  /** Whether questions are left without an answer. */
  away = false;
  /** Refuse the next stream with this status. */
  refuse: number | null = null;
  readonly asked: string[] = [];
  readonly streams: Streamed[] = [];
  #server: Server;

  constructor() {
    this.#server = createServer((request, answer) => this.#answer(request, answer));
  }

  async begin(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async end(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Say something on the stream that was opened last. */
  say(text: string): void {
    this.streams.at(-1)?.answer.write(text);
  }

  #answer(request: IncomingMessage, answer: ServerResponse): void {
    const { pathname, search } = new URL(request.url ?? "", "http://localhost");
    const what = pathname.replace("/api/v1/", "");
    this.asked.push(what + search);
    if (this.away) {
      request.socket.destroy();
      return;
    }
    if (what === "status") this.#json(answer, { epoch: this.epoch, seq: this.seq, now: Date.now() });
    else if (what === "earthquakes/count") this.#json(answer, { count: this.list.length });
    else if (what === "earthquakes" && this.paged) {
      const query = new URLSearchParams(search);
      const from = Number(query.get("cursor") ?? 0);
      const to = from + Number(query.get("limit"));
      const next = to < this.list.length ? String(to) : null;
      this.#json(answer, { earthquakes: this.list.slice(from, to), next });
    } else if (what === "earthquakes") this.#json(answer, { earthquakes: this.list, next: this.next });
    else if (this.refuse !== null) {
      answer.writeHead(this.refuse, { "Retry-After": "1", "Content-Type": "application/problem+json" }).end("{}");
      this.refuse = null;
    } else {
      answer.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders();
      this.streams.push({ query: search, lastId: request.headers["last-event-id"] as string | undefined, answer });
    }
  }

  #json(answer: ServerResponse, document: unknown): void {
    answer.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(document));
  }
}

let consumer: Consumer;
let told: string[];
let statuses: Status[];
let live: Live;
const network = globalThis.fetch;

beforeEach(async () => {
  consumer = new Consumer();
  const base = await consumer.begin();
  // As in a page: addresses are told from where the page is.
  vi.stubGlobal("fetch", (path: string, how: RequestInit) => network(new URL(path, base), how));
  vi.spyOn(Math, "random").mockReturnValue(0); // the shortest of the waits that are drawn by lot
  told = [];
  statuses = [];
  live = new Live(
    {
      part: (list, another) =>
        told.push(
          `part ${list.length > 3 ? list.length : list.map(({ id }) => id)}${another ? ", another catalogue" : ""}`,
        ),
      whole: (ids, seq) => told.push(`whole ${ids.size} at ${seq}`),
      status: (status) => statuses.push(status),
      changes: (changes: Change[]) => told.push(...changes.map(({ type, earthquake }) => `${type} ${earthquake.id}`)),
      turned: () => told.push(live.connection.state),
    },
    ownLine("api/v1/earthquakes/stream"),
  );
});

afterEach(async () => {
  vi.useRealTimers();
  // The page follows as long as it is open. Here its next question is never answered, so that it asks no other test's.
  const unanswered = vi.fn(() => new Promise<never>(() => undefined));
  vi.stubGlobal("fetch", unanswered);
  await consumer.end();
  if (consumer.asked.length > 0) {
    await vi.waitFor(() => {
      live.hurry();
      expect(unanswered).toHaveBeenCalled();
    });
  }
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const event = (type: string, id: string, number: string): string =>
  `event: ${type}\nid: ${number}\ndata: ${JSON.stringify({ type, earthquake: quake(id, Number(number.split("-")[1])) })}\n\n`;

const opened = (n: number): Promise<void> =>
  vi.waitFor(() => expect(consumer.streams.length).toBe(n), { timeout: 20_000, interval: 5 });
const isLive = (): Promise<void> =>
  vi.waitFor(() => expect(live.connection.state).toBe("live"), { timeout: 20_000, interval: 5 });
const saidOf = (what: string): Promise<void> =>
  vi.waitFor(() => expect(told).toContain(what), { timeout: 20_000, interval: 5 });

test("where the feed stands is noted before the list is read, and changes are asked for from there", async () => {
  live.follow({ minmagnitude: 4 });
  await opened(1);
  expect(consumer.asked.map((one) => one.split("?")[0])).toEqual(["status", "earthquakes", "earthquakes/stream"]);
  expect(consumer.asked[1]).toContain("minmagnitude=4");
  expect(consumer.streams[0]).toMatchObject({ query: "?minmagnitude=4", lastId: "e1-5" });
  consumer.say(event("created", "b", "e1-6"));
  await saidOf("created b");
  expect(told).toEqual(["connecting", "part a", "whole 1 at 5", "live", "created b"]);
  expect(live).toMatchObject({ loaded: true, cut: false, connection: { state: "live" } });
  expect(statuses.length).toBe(1);
});

test("a connection that ends is taken up from the last that was heard, heartbeats too, and no list is read", async () => {
  live.follow({});
  await opened(1);
  consumer.say(`${event("created", "b", "e1-6")}id: e1-9\n\n`);
  await saidOf("created b");
  consumer.streams[0]?.answer.end();
  await opened(2);
  await isLive();
  expect(consumer.streams[1]?.lastId).toBe("e1-9");
  expect(consumer.asked.filter((one) => one === "status").length).toBe(1);
  expect(told.filter((one) => !one.startsWith("created"))).toEqual([
    "connecting",
    "part a",
    "whole 1 at 5",
    "live",
    "resuming",
    "live",
  ]);
});

test("half an event is not told, and comes whole when the connection is taken up", async () => {
  live.follow({});
  await opened(1);
  const whole = event("created", "b", "e1-6");
  consumer.say(whole.slice(0, -9));
  consumer.streams[0]?.answer.end();
  await opened(2);
  expect(consumer.streams[1]?.lastId).toBe("e1-5");
  consumer.say(whole);
  await saidOf("created b");
  expect(told.filter((one) => one === "created b").length).toBe(1);
});

test("what was missed can't be told: then the list is read anew", async () => {
  live.follow({});
  await opened(1);
  consumer.seq = 40;
  consumer.list = [quake("c", 40)];
  consumer.say("event: gap\nid: e1-40\ndata: {}\n\n");
  await saidOf("whole 1 at 40");
  expect(told).toContain("part c");
  consumer.say(event("created", "d", "e1-41"));
  await saidOf("created d");
  expect(consumer.streams.length).toBe(1); // it goes on from there
});

test("another catalogue is said to be one", async () => {
  live.follow({});
  await opened(1);
  Object.assign(consumer, { epoch: "e2", seq: 1, list: [] });
  consumer.say("event: gap\nid: e2-1\ndata: {}\n\n");
  await saidOf("whole 0 at 1");
  expect(told).toContain("part , another catalogue");
  consumer.say(event("created", "d", "e2-2"));
  await saidOf("created d");
});

test("what tells of the connection alone, or is of a later time than this page, is no change", async () => {
  live.follow({});
  await opened(1);
  consumer.say(event("live", "x", "e1-6") + event("foretold", "x", "e1-7") + event("deleted", "a", "e1-8"));
  await saidOf("deleted a");
  expect(told.filter((one) => one.includes("x"))).toEqual([]);
});

test("a scope that the present one covers needs no other connection, a wider one does", async () => {
  live.follow({ starttime: 1_000, minmagnitude: 4 });
  await opened(1);
  live.follow({ starttime: 2_000, minmagnitude: 5 });
  await isLive();
  expect(consumer.streams.length).toBe(1);
  live.follow({ starttime: 1_000, minmagnitude: 2 });
  await opened(2);
  expect(consumer.streams[1]?.query).toBe("?minmagnitude=2");
  await vi.waitFor(() => expect(consumer.streams[0]?.answer.destroyed).toBe(true)); // the former one is let go
});

test("a list that was cut is read anew for a narrower scope, that has room for older ones", async () => {
  consumer.next = "more";
  consumer.list = Array.from({ length: 50_000 }, (_, n) => quake(`${n}`, n));
  live.follow({ minmagnitude: 1 });
  await opened(1);
  expect(live.cut).toBe(true);
  live.follow({ minmagnitude: 1, starttime: 9 }); // the newest of both are the same
  expect(live.cut).toBe(true);
  Object.assign(consumer, { next: null, list: [] });
  live.follow({ minmagnitude: 4 });
  expect(live.cut).toBe(false);
  await opened(2);
  expect(consumer.streams[1]?.query).toBe("?minmagnitude=4");
});

test("a server that refuses is asked again when it says so", async () => {
  consumer.refuse = 503;
  live.follow({});
  await vi.waitFor(() => expect(told).toContain("resuming"));
  const refusedMs = performance.now();
  await opened(1);
  expect(performance.now() - refusedMs).toBeGreaterThan(450); // half of a second, by lot; without its word an eighth
  await isLive();
  expect(told).toEqual(["connecting", "part a", "whole 1 at 5", "resuming", "live"]);
});

test("a reader who comes back does not wait", async () => {
  consumer.refuse = 503;
  live.follow({});
  await vi.waitFor(() => expect(told).toContain("resuming"));
  const refusedMs = performance.now();
  live.hurry();
  await opened(1);
  expect(performance.now() - refusedMs).toBeLessThan(450);
});

test("a connection that is silent for longer than the server ever is, is dead, whatever TCP says", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  live.follow({});
  await opened(1);
  await isLive();
  await vi.advanceTimersByTimeAsync(10_000);
  consumer.say(event("created", "b", "e1-6"));
  await saidOf("created b");
  await vi.advanceTimersByTimeAsync(9_000);
  expect(consumer.streams.length).toBe(1);
  await vi.advanceTimersByTimeAsync(2_000);
  await opened(2);
  expect(consumer.streams[1]?.lastId).toBe("e1-6");
});

test("a moment's break is no concern, one that lasts is said with the time of the last sign", async () => {
  live.follow({});
  await opened(1);
  await isLive();
  expect(live.staleSince).toBeNull();
  await consumer.end();
  await vi.waitFor(() => expect(live.connection.state).toBe("resuming"));
  const { since } = live.connection;
  expect(live.staleSince).toBeNull();
  vi.useFakeTimers({ now: (since as number) + 5_000, toFake: ["Date"] });
  expect(live.staleSince).toBeNull();
  vi.setSystemTime((since as number) + 5_001);
  expect(live.staleSince).toBe(since);
});

test("before the first list nothing is stale: nothing was ever fresh", () => {
  vi.useFakeTimers({ now: Date.now() + 3_600_000, toFake: ["Date"] });
  expect([live.staleSince, live.loaded]).toEqual([null, false]);
});

test("a long list comes in parts, the newest first, and says of how many it is", async () => {
  consumer.list = Array.from({ length: 250 }, (_, n) => quake(`${n}`, n % 5));
  consumer.paged = true;
  live.follow({});
  await saidOf("whole 250 at 5");
  expect(told.filter((one) => one.startsWith("part"))).toEqual(["part 100", "part 150"]);
  expect(consumer.asked.filter((one) => one.startsWith("earthquakes?")).length).toBe(2);
  expect(consumer.asked.some((one) => one.startsWith("earthquakes/count"))).toBe(true);
  expect(live.loading).toBeNull();
  expect(live.loaded).toBe(true);
});

test("where the browser says that it is offline nothing is live, until the server itself has answered", async () => {
  live.follow({});
  await opened(1);
  await isLive();
  consumer.away = true;
  live.doubt();
  expect(live.connection.state).toBe("resuming");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(live.connection.state).toBe("resuming"); // though the stream itself still stands
  consumer.away = false;
  live.hurry();
  await isLive();
  expect(consumer.streams.length).toBe(1);
});
