import { expect, test } from "vitest";
import type { Source, Status } from "../src/api.ts";
import { faultsOf } from "../src/health.ts";
import { serviceUrl } from "../src/service.ts";

type Consumer = NonNullable<Status["consumer"]>;

const WELL: Consumer = {
  log: { kind: "embedded", reachable: true },
  partitions: [0],
  lag: { "0": 3 },
  stopped: {},
  consumed: 5,
  deadLetters: 0,
  republisher: { active: true },
  alerts: { active: true, subscriptions: 2, unreadable: 0 },
  disk: { freeBytes: 5e10, totalBytes: 1e11 },
};
const SOURCE: Source = { name: "usgs", state: "live" };

const found = (consumer: Partial<Consumer>, source: Partial<Source> = {}): string[] =>
  faultsOf({ consumer: { ...WELL, ...consumer }, sources: [{ ...SOURCE, ...source }] }).map(({ chapter, of, reason }) =>
    `${chapter} ${of} ${reason}`.trim(),
  );

test("where all is well, nothing wants a person", () => {
  expect(found({})).toEqual([]);
});

test.each<[Partial<Consumer>, Partial<Source>, string]>([
  [{ stopped: { "2": "the log is another one" } }, {}, "stopped 2 the log is another one"],
  [{ catalogError: "disk full" }, {}, "catalogue  disk full"],
  [{ log: { kind: "kafka", reachable: false } }, {}, "log"],
  [{ logError: "not authorized" }, {}, "log  not authorized"],
  [{ alerts: { active: true, error: "no route" } }, {}, "alerts  no route"],
  [{ alerts: { active: true, unreadable: 3 } }, {}, "alerts 3"],
  [{ republisher: { active: false, error: "too large" } }, {}, "republisher  too large"],
  [{ disk: { freeBytes: 9e8, totalBytes: 1e11 } }, {}, "disk"],
  [{ disk: { freeBytes: 4e10, totalBytes: 1e12 } }, {}, "disk"],
  [{ clock: "5 s ahead of the database's" }, {}, "clock  5 s ahead of the database's"],
  [{ deadLetters: 4 }, {}, "dead-letters 4"],
  [{ lag: { "0": 9_000, "1": 2_000 } }, {}, "lag"],
  [{}, { silentSince: "2026-01-01T00:00:00Z" }, "silent usgs"],
  [{}, { lastError: "503" }, "source usgs 503"],
  [{}, { state: "gone" }, "source usgs"],
  [{}, { refused: 2, lastRefused: { at: "2026-01-01T00:00:00Z", reason: "no place" } }, "refused usgs no place"],
])("each fault is named once: %o %o", (consumer, source, said) => {
  expect(found(consumer, source)).toEqual([said]);
});

test.each([
  ["", "localhost", ""],
  ["nonsense", "localhost", ""],
  ["http://localhost:3001", "localhost", "http://localhost:3001"],
  ["http://localhost:3001/", "127.0.0.1", "http://localhost:3001"],
  ["http://127.0.0.1:3001", "quakes.example", ""], // the reader's own machine is another one
  ["https://x.example/service/", "x.example", "https://x.example/service"],
])("the service's address: %s on %s", (said, host, address) => {
  expect(serviceUrl(said, host)).toBe(address);
});
