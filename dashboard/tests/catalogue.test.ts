import { describe, expect, test } from "vitest";
import { Catalogue } from "../src/catalogue.ts";
import type { Change, Earthquake } from "../src/earthquake.ts";

function quake(id: string, seq: number, more: Partial<Earthquake> = {}): Earthquake {
  return {
    id,
    seq,
    revision: 1,
    reports: 1,
    magnitude: 4,
    magnitudeType: null,
    location: { latitude: 0, longitude: 0, depth: 10 },
    timestamp: 1000 + seq,
    mode: "actual",
    status: "automatic",
    type: "earthquake",
    place: null,
    region: null,
    country: null,
    felt: null,
    tsunami: null,
    depthError: null,
    recordedTimestamp: null,
    ...more,
  };
}

function take(catalogue: Catalogue, list: Earthquake[], seq: number): void {
  catalogue.add(list);
  catalogue.retain(new Set(list.map(({ id }) => id)), seq);
}

const change = (type: Change["type"], earthquake: Earthquake, more: Partial<Change> = {}): Change => ({
  seq: earthquake.seq,
  type,
  earthquake,
  ...more,
});

const STORY: Change[] = [
  change("created", quake("a", 1)),
  change("created", quake("b", 2)),
  change("updated", quake("a", 3, { magnitude: 5 })),
  change("merged", quake("a", 4, { magnitude: 5.1, reports: 2 }), { from: "b" }),
  change("merged", quake("b", 5), { into: "a" }),
  change("created", quake("c", 6)),
  change("deleted", quake("c", 7, { status: "deleted" })),
  change("split", quake("d", 8), { from: "a" }),
  change("split", quake("a", 9, { magnitude: 5 }), { into: "d" }),
];

const shown = (catalogue: Catalogue): string[] =>
  [...catalogue.all()].map((one) => `${one.id}@${one.seq} ${one.magnitude}`).sort();
const END = ["a@9 5", "d@8 4"];

function* orders<T>(list: T[]): Generator<T[]> {
  if (list.length <= 1) yield list;
  for (const [n, first] of list.entries()) {
    for (const rest of orders(list.toSpliced(n, 1))) yield [first, ...rest];
  }
}

describe("changes", () => {
  test("do not bring back what is withdrawn", () => {
    for (const type of ["updated", "split"] as const) {
      const catalogue = new Catalogue();
      expect(catalogue.apply(change("created", quake("c", 1)))).toBe("new");
      expect(catalogue.apply(change(type, quake("c", 2, { status: "deleted" })))).toBe("gone");
      expect(catalogue.apply(change("updated", quake("c", 3, { status: "deleted" })))).toBe("none");
    }
  });

  test("tell the story in order", () => {
    const catalogue = new Catalogue();
    const effects = STORY.map((one) => catalogue.apply(one));
    expect(effects).toEqual(["new", "new", "changed", "changed", "gone", "new", "gone", "new", "changed"]);
    expect(shown(catalogue)).toEqual(END);
  });

  test("one that was merged away by mistake is shown again, in whatever order that is heard", () => {
    const again = change("split", quake("b", 6, { magnitude: 4.5 }), { from: "a" });
    for (const told of [
      [...STORY.slice(0, 5), again],
      [...STORY.slice(0, 4), again, ...STORY.slice(4, 5)],
    ]) {
      const catalogue = new Catalogue();
      for (const one of told) catalogue.apply(one);
      expect(shown(catalogue)).toEqual(["a@4 5.1", "b@6 4.5"]);
    }
  });

  test("twice have no more effect", () => {
    const catalogue = new Catalogue();
    for (const one of [...STORY, ...STORY]) catalogue.apply(one);
    expect(shown(catalogue)).toEqual(END);
    expect(STORY.map((one) => catalogue.apply(one))).toEqual(STORY.map(() => "none"));
  });

  test("in every order end the same", () => {
    for (const order of orders(STORY.slice(0, 7))) {
      const catalogue = new Catalogue();
      for (const one of order) catalogue.apply(one);
      expect(shown(catalogue)).toEqual(["a@4 5.1"]);
    }
  });

  test("that no longer match are taken off", () => {
    const catalogue = new Catalogue();
    catalogue.apply(change("created", quake("a", 1)));
    expect(catalogue.apply(change("updated", quake("a", 2, { magnitude: 1 }), { matches: false }))).toBe("gone");
    expect(catalogue.size).toBe(0);
    expect(catalogue.apply(change("updated", quake("a", 3)))).toBe("new");
  });
});

describe("a list", () => {
  test("that was read while changes came neither loses nor doubles", () => {
    const whole = new Catalogue();
    for (const one of STORY) whole.apply(one);
    for (let read = 0; read <= STORY.length; read++) {
      // The feed stood at `read` when the list was asked for; it was read later, after some more.
      for (let later = read; later <= STORY.length; later++) {
        const server = new Catalogue();
        for (const one of STORY.slice(0, later)) server.apply(one);
        const page = new Catalogue();
        take(page, [...server.all()], read);
        for (const one of STORY.slice(read)) page.apply(one);
        expect(shown(page)).toEqual(END);
      }
    }
  });

  test("takes away what went while nobody listened, and leaves what is newer", () => {
    const catalogue = new Catalogue();
    catalogue.apply(change("created", quake("gone", 1)));
    catalogue.apply(change("created", quake("newer", 9)));
    take(catalogue, [quake("a", 3)], 5);
    expect(shown(catalogue)).toEqual(["a@3 4", "newer@9 4"]);
  });

  test("older than a withdrawal does not bring it back", () => {
    const catalogue = new Catalogue();
    catalogue.apply(change("created", quake("a", 1)));
    catalogue.apply(change("deleted", quake("a", 7)));
    take(catalogue, [quake("a", 1)], 1);
    expect(catalogue.size).toBe(0);
  });
});

test("only the newest are kept", () => {
  const catalogue = new Catalogue();
  for (let n = 1; n <= 10; n++) catalogue.apply(change("created", quake(`q${n}`, n)));
  catalogue.keepNewest(3);
  expect([...catalogue.all()].map((one) => one.id).sort()).toEqual(["q10", "q8", "q9"]);
});
