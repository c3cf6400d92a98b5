import { expect, test } from "vitest";
import type { Earthquake } from "../src/earthquake.ts";
import { gather, levelOf, opensAt } from "../src/map/clusters.ts";

const quake = (n: number, latitude: number, longitude: number, more: Partial<Earthquake> = {}): Earthquake =>
  ({
    id: `q${n}`,
    magnitude: 2 + (n % 20) / 10,
    mode: "actual",
    location: { latitude, longitude },
    ...more,
  }) as Earthquake;

const swarm = (count: number, latitude: number, longitude: number, more: Partial<Earthquake> = {}): Earthquake[] =>
  Array.from({ length: count }, (_, n) => quake(n, latitude + 0.01 * (n % 7), longitude + 0.01 * (n % 5), more));

test("a cluster says its largest magnitude, and nobody is lost or counted twice", () => {
  const all = [...swarm(200, 38, 23), ...swarm(50, -33, -70), quake(1, 0, 100), quake(2, 60, 0, { magnitude: 6.1 })];
  const { singles, clusters } = gather(all, 2);
  expect(clusters.map(({ count }) => count).sort((a, b) => b - a)).toEqual([200, 50]);
  expect(clusters.every(({ largest }) => largest === 3.9)).toBe(true);
  expect(singles.map(({ magnitude }) => magnitude).sort()).toEqual([2.1, 6.1]);
});

test("what is large stands alone, and so does each where none are asked for", () => {
  const all = swarm(100, 38, 23);
  all[7] = quake(7, 38, 23, { magnitude: 4.5 });
  expect(gather(all, 0).singles).toEqual([all[7]]);
  expect(gather(all, null)).toEqual({ singles: all, clusters: [] });
  expect(levelOf(7.9)).toBe(7);
  expect(levelOf(8)).toBeNull();
});

test("a swarm at the edge of a cell, or on the antimeridian, is one", () => {
  for (const longitude of [0, 179.98, -180, 45, 22.5]) {
    const all = Array.from({ length: 40 }, (_, n) =>
      quake(n, n % 2 ? 0.02 : -0.02, longitude + 0.02 * ((n % 4) - 1.5)),
    );
    for (let level = -1; level <= 5; level++) {
      const { clusters, singles } = gather(all, level);
      expect(clusters.length, `${longitude} at ${level}`).toBe(1);
      expect(singles).toEqual([]);
      const away = Math.abs((clusters[0]?.longitude ?? 99) - longitude) % 360;
      expect(Math.min(away, 360 - away)).toBeLessThan(0.1);
    }
  }
});

test("a cluster opens where it falls apart, and one of the same place beyond the last step", () => {
  const all = Array.from({ length: 7 }, (_, n) => quake(n, 5 + 0.7 * n, 10));
  const [cluster] = gather(all, 1).clusters;
  if (!cluster) throw new Error("there is none");
  const zoom = opensAt(all, cluster, 1);
  expect(gather(all, zoom - 1).clusters[0]?.count).toBe(7);
  expect(gather(all, zoom).clusters[0]?.count ?? 0).toBeLessThan(7);
  const same = Array.from({ length: 7 }, (_, n) => quake(n, 5, 10));
  expect(opensAt(same, gather(same, 1).clusters[0] ?? cluster, 1)).toBe(8);
});

test("what is real, what is exercised and what is tested never stand in one", () => {
  const all = [
    ...swarm(5, 10, 10),
    ...swarm(6, 10, 10, { mode: "exercise" }),
    ...swarm(7, 10, 10, { mode: "exercise", recordedTimestamp: 1 }),
    ...swarm(8, 10, 10, { mode: "test" }),
  ];
  const { clusters } = gather(all, 3);
  expect(Object.fromEntries(clusters.map(({ drill, count }) => [drill ?? "actual", count]))).toEqual({
    actual: 5,
    exercise: 13, // a recording that is played again is an exercise
    test: 8,
  });
});

test("without magnitudes there is none to say; at the poles nothing breaks", () => {
  expect(gather(swarm(9, 89.9, 0, { magnitude: null }), 1).clusters[0]).toMatchObject({ count: 9, largest: null });
  expect(gather(swarm(9, -90, 0), 1).clusters[0]?.count).toBe(9);
});

test("50,000 are gathered within a frame's patience", () => {
  const all = Array.from({ length: 50_000 }, (_, n) => quake(n, ((n * 7919) % 140) - 70, ((n * 104_729) % 360) - 180));
  const { clusters, singles } = gather(all, 2);
  expect(singles.length + clusters.reduce((sum, { count }) => sum + count, 0)).toBe(all.length);
  expect(clusters.length).toBeLessThan(3_000);
});
