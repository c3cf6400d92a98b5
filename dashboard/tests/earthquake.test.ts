import { expect, test } from "vitest";
import { Catalogue } from "../src/catalogue.ts";
import { kept, type Told } from "../src/earthquake.ts";

const told: Told = {
  id: "eq_1",
  seq: 1,
  revision: 1,
  firstSeen: 0,
  changed: 0,
  preferred: "us:1",
  events: ["us:1", "emsc:2"],
  magnitude: 5.1,
  location: { latitude: 1, longitude: 2, depth: 3, uncertainty: "much" },
  timestamp: 1_000,
  source: "us",
  mode: "actual",
  status: "automatic",
  type: "earthquake",
  region: "Fiji region",
  url: "https://agency.example/1",
  focalMechanisms: [{ agency: "us" }],
};

test("of an earthquake that is what a row, a symbol and a filter need, and no more", () => {
  const one = kept(told);
  expect(one).toMatchObject({ id: "eq_1", magnitude: 5.1, region: "Fiji region", place: null, reports: 2 });
  expect(one.location).toEqual({ latitude: 1, longitude: 2, depth: 3 });
  for (const dropped of ["events", "url", "focalMechanisms", "preferred", "source"])
    expect(one).not.toHaveProperty(dropped);
});

test("whatever is told of them, all have the same properties in the same order", () => {
  const { region: _region, ...less } = told;
  const more = { ...told, place: "Fiji", felt: 3, country: "FJ", recordedTimestamp: 5, depthError: 2, tsunami: 1 };
  const [a, b] = [kept(less), kept(more)];
  expect(Object.keys(a)).toEqual(Object.keys(b));
  expect(Object.values(a).some((value) => value === undefined)).toBe(false);
});

test("a revision leaves one name of the earthquake and nothing of the one before", () => {
  const catalogue = new Catalogue();
  const change = (seq: number): void => {
    const earthquake = kept({ ...told, id: JSON.parse('"eq_1"') as string, seq });
    catalogue.apply({ type: "updated", seq, earthquake });
  };
  for (let seq = 1; seq <= 100; seq++) change(seq);
  expect([...catalogue.all()]).toEqual([kept({ ...told, seq: 100 })]);
});
