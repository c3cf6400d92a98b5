import { expect, test } from "vitest";
import { faultInWords, inWords, leftOf } from "../src/alerts/faults.ts";
import { newDraft } from "../src/alerts/subscription.ts";
import de from "../src/messages/de.json";
import { speak } from "../src/texts.ts";

const FIELDS = [
  "name",
  "where.latitude",
  "where.longitude",
  "where.radius_km",
  "where.within_km",
  "where.name",
  "where.geometry",
  "what",
  "what.min_magnitude",
  "what.max_depth_km",
  "how.channels",
  "how.channels[0].url",
  "how.channels[3].address",
  "how.channels[1]",
  "how.quiet_hours.start",
  "how.quiet_hours",
  "time_zone",
  "something.else",
  "",
];
const SERVERS = "list should have at least 1 item after validation, not 0";

test("every field has words of its own, and the server's are nowhere", () => {
  for (const words of inWords(new Map(FIELDS.map((at) => [at, SERVERS]))).values())
    expect(words).not.toMatch(/validation|should have|Input|fault\./);
  expect(faultInWords("how.channels")).toBe("Choose at least one way to be told.");
  expect(faultInWords("how.channels[3].address")).toContain("e-mail address");
  expect(faultInWords("how.channels[3].url")).toContain("https://");
  expect(faultInWords("where.latitude")).toContain("−90 to 90");
  expect(faultInWords("how.quiet_hours.start")).toContain("22:00");
});

test("on the German page they are German", async () => {
  await speak("de");
  for (const at of FIELDS) expect(Object.values(de)).toContain(faultInWords(at));
  await speak("en");
});

test("what is mended vanishes, and nothing else", () => {
  const draft = newDraft(null, "en", "km", "UTC");
  const faults = new Map(
    ["where.latitude", "where.longitude", "how.channels[0].url", "what.min_magnitude", "what"].map((at) => [at, "x"]),
  );
  const left = (change: object): string[] => [...leftOf(faults, draft, change).keys()];
  expect(left({ latitude: "10" })).not.toContain("where.latitude");
  expect(left({ latitude: "10" })).toContain("where.longitude");
  expect(left({ latitude: draft.latitude })).toHaveLength(faults.size);
  expect(left({ kind: "world" })).toEqual(["how.channels[0].url", "what.min_magnitude", "what"]);
  expect(left({ channels: [] })).not.toContain("how.channels[0].url");
  expect(left({ minMagnitude: "4" })).toEqual(["where.latitude", "where.longitude", "how.channels[0].url"]);
});
