import { expect, test } from "vitest";
import {
  type Document,
  documentOf,
  draftOf,
  faultsByField,
  isSomewhere,
  mailUrl,
  newDraft,
  ownZone,
  pointOf,
  previewOf,
  radiusKmOf,
  type Subscription,
} from "../src/alerts/subscription.ts";

const ATHENS = { latitude: 37.98, longitude: 23.73 };
const PUSH = {
  channel: "webpush",
  subscription: { endpoint: "https://push.example/1", keys: { p256dh: "a", auth: "b" } },
};

function stored(document: Document): Subscription {
  const own = {
    id: "sub_1",
    subscriber: "",
    origin: "api",
    created: 1,
    changed: 2,
    unconfirmed: [],
    confirmed: [],
    ended: [],
  };
  return { ...document, ...own };
}

test("a browser that tells no time zone has UTC", () => {
  expect(ownZone("Asia/Calcutta")).toBe("Asia/Calcutta");
  expect(ownZone("Etc/Unknown")).toBe("UTC");
  expect(ownZone("")).toBe("UTC");
});

test("a new one asks for shaking at my place, from wherever it comes", () => {
  const draft = newDraft(ATHENS, "de", "mi", "Europe/Athens");
  expect(
    documentOf({
      ...draft,
      name: " Home ",
      channels: [{ channel: "webhook", to: " https://a.example ", given: null }],
    }),
  ).toEqual({
    name: "Home",
    where: { kind: "circle", ...ATHENS },
    what: { min_intensity: 4 },
    modes: ["actual"],
    time_zone: "Europe/Athens",
    how: {
      channels: [{ channel: "webhook", url: "https://a.example" }],
      language: "de",
      units: "imperial",
      updates: "material",
      exclude_aftershocks: false,
    },
  });
});

test("what the form has no field for survives it", () => {
  const given: Document = {
    name: "All",
    where: { kind: "polygon", geometry: { type: "Polygon", coordinates: [] }, within_km: 5 },
    what: { min_intensity: 4, during: "day", agencies: ["us"], deep: { min_magnitude: 6.5 } },
    modes: ["actual", "test"],
    night: { start: "21:00" },
    snooze_until_ms: 5,
    how: {
      channels: [PUSH, { channel: "webhook", url: "https://a.example", secret: "whsec_x" }, { channel: "console" }],
      digest: { after: 5 },
      escalation: { after_minutes: 10, channels: [{ channel: "console" }] },
      quiet_hours: { start: "23:00", unless_magnitude: 7 },
    },
  };
  const back = documentOf(draftOf(stored(given)));
  expect(back).toMatchObject({
    ...given,
    how: { ...given.how, quiet_hours: { ...given.how.quiet_hours, end: "07:00", unless_intensity: 6 } },
  });
  for (const own of ["id", "subscriber", "origin", "created", "changed", "unconfirmed", "confirmed", "ended"]) {
    expect(back).not.toHaveProperty(own);
  }
});

test("combined rules are kept, and an intensity that is taken away takes its stand-in along", () => {
  const what = { any: [{ min_intensity: 4 }, { min_magnitude: 6 }] };
  const how = { channels: [] };
  const where = { kind: "world" };
  expect(documentOf({ ...draftOf(stored({ where, what, how })), minMagnitude: "9" }).what).toEqual(what);
  const deep = draftOf(stored({ where, what: { min_intensity: 4, deep: {} }, how }));
  expect(documentOf({ ...deep, intensity: "", minMagnitude: "5" }).what).toEqual({ min_magnitude: 5 });
});

test("quiet hours that are switched off are gone", () => {
  const draft = draftOf(stored({ where: { kind: "world" }, how: { channels: [], quiet_hours: { start: "23:00" } } }));
  expect(draft.quiet).toBe(true);
  expect(documentOf({ ...draft, quiet: false }).how).not.toHaveProperty("quiet_hours");
});

test("numbers are read with a point or a comma; what is none goes as it was typed", () => {
  const draft = { ...newDraft(null, "en", "km", "UTC"), latitude: " 4,5", longitude: "x", radius: "1,5" };
  expect(documentOf(draft).where).toEqual({ kind: "circle", latitude: 4.5, longitude: "x", radius_km: 1.5 });
  expect(pointOf(draft)).toBeNull();
  expect(radiusKmOf(draft)).toBe(1.5);
  expect(pointOf({ ...draft, longitude: "-180" })).toEqual({ latitude: 4.5, longitude: -180 });
  expect(pointOf({ ...draft, longitude: "181" })).toBeNull();
});

test("nothing is tried before it is said where", () => {
  const draft = newDraft(null, "en", "km", "UTC");
  expect(isSomewhere(draft)).toBe(false);
  expect(isSomewhere(newDraft(ATHENS, "en", "km", "UTC"))).toBe(true);
  expect(isSomewhere({ ...newDraft(ATHENS, "en", "km", "UTC"), intensity: "" })).toBe(false);
  expect(isSomewhere({ ...draft, kind: "world" })).toBe(true);
  expect(isSomewhere({ ...draft, kind: "country" })).toBe(false);
  expect(isSomewhere({ ...draft, kind: "country", country: "GR" })).toBe(true);
  expect(previewOf({ ...newDraft(ATHENS, "en", "km", "UTC") }).how.channels).toHaveLength(1);
});

test("a mailbox is a URL of Apprise, whatever stands in a password", () => {
  const mail = { address: "me@example.org", server: "smtp.example.org", user: "me@example.org", password: "a:/@?b" };
  expect(mailUrl(mail)).toBe(
    "mailtos://me%40example.org:a%3A%2F%40%3Fb@smtp.example.org?to=me%40example.org&from=me%40example.org",
  );
});

test("faults stand at their fields, also those of the whole that name one", () => {
  const faults = faultsByField(
    [
      { at: "where.latitude", why: "input should be less than or equal to 90" },
      { at: "", why: "where.radius_km is needed by a rule without min_intensity" },
      { at: "", why: "something else" },
      { at: "how.channels[0]", why: "one" },
      { at: "how.channels[0]", why: "two" },
    ],
    "all of it",
  );
  expect([...faults]).toEqual([
    ["where.latitude", "input should be less than or equal to 90"],
    ["where.radius_km", "where.radius_km is needed by a rule without min_intensity"],
    ["", "something else"],
    ["how.channels[0]", "one; two"],
  ]);
  expect([...faultsByField([], "all of it")]).toEqual([["", "all of it"]]);
});
