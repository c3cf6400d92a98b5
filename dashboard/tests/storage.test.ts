import { afterEach, expect, test, vi } from "vitest";
import type { Preferences } from "../src/state.ts";
import { keepPlace, keepPreferences, keptPlace, keptPreferences } from "../src/storage.ts";

const DEFAULTS: Preferences = {
  language: "en",
  zone: "local",
  units: "km",
  theme: "auto",
  map: "auto",
  announce: 4.5,
  sound: false,
  shortcuts: true,
};

/** The browser's storage, as far as the page uses it. */
function browser(refuses = false): Map<string, string> {
  const kept = new Map<string, string>();
  const orRefuse = <T>(value: T): T => {
    if (refuses) throw new DOMException("The operation is insecure.", "SecurityError");
    return value;
  };
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => orRefuse(kept.get(key) ?? null),
    setItem: (key: string, value: string) => void orRefuse(kept.set(key, value)),
    removeItem: (key: string) => void orRefuse(kept.delete(key)),
  });
  return kept;
}

afterEach(() => void vi.unstubAllGlobals());

test("what somebody likes comes back, and the rest is as it was", () => {
  browser();
  expect(keptPreferences(DEFAULTS)).toEqual(DEFAULTS);
  keepPreferences({ ...DEFAULTS, language: "de", sound: true });
  expect(keptPreferences({ ...DEFAULTS, units: "mi" })).toEqual({ ...DEFAULTS, language: "de", sound: true });
});

test("a place comes back, and is forgotten whole", () => {
  const kept = browser();
  expect(keptPlace()).toBeNull();
  keepPlace({ latitude: -41.29, longitude: 174.78 });
  expect(keptPlace()).toEqual({ latitude: -41.29, longitude: 174.78 });
  keepPlace({ latitude: 0, longitude: 0 });
  expect(keptPlace()).toEqual({ latitude: 0, longitude: 0 });
  keepPlace(null);
  expect([keptPlace(), kept.size]).toEqual([null, 0]);
});

test("what makes no sense is no place", () => {
  const kept = browser();
  for (const nonsense of ["", "1", "91,0", "0,181", "north,east", "NaN,0"]) {
    kept.set("quakestream-place", nonsense);
    expect(keptPlace()).toBeNull();
  }
});

test("a browser that keeps nothing is no error", () => {
  browser(true);
  keepPreferences(DEFAULTS);
  keepPlace({ latitude: 1, longitude: 2 });
  expect([keptPlace(), keptPreferences(DEFAULTS)]).toEqual([null, DEFAULTS]);
});
