// What the view of alerts knows and does: the key, the subscriptions, the one that is open, and its draft.

import type { App } from "../app.ts";
import { circle, KM_PER_DEGREE, type Point } from "../sphere.ts";
import { type Key, text } from "../texts.ts";
import { inWords, leftOf } from "./faults.ts";
import { hindrance, ownEndpoint, subscribe, unsubscribe } from "./push.ts";
import * as server from "./server.ts";
import {
  type Draft,
  documentOf,
  draftOf,
  endpointOf,
  faultsByField,
  isSomewhere,
  newDraft,
  ownZone,
  type Preview,
  pointOf,
  previewOf,
  radiusKmOf,
  type Subscription,
  type Told,
} from "./subscription.ts";

const KEY = "quakestream-alerts-key";
const PREVIEW_AFTER_MS = 500;
const LOOK_AGAIN_MS = 2_000;
/** As long as a drill may take over the stream into the catalogue, and from there to the outbox. */
const DRILL_TAKES_MS = 20_000;
/** Not settled yet. */
const OPEN = new Set(["queued", "sending"]);

/** Why nothing can be shown: no key, a wrong one, alerts or their interface switched off, or no answer. */
export type Access = "asks" | "wrong" | "off" | "closed" | "away" | "open";

export class Desk {
  access: Access = "asks";
  busy = false;
  list: Subscription[] = [];
  /** The one that is open, as it is stored; null: a new one. */
  open: Subscription | null = null;
  missing = false;
  draft: Draft | null = null;
  faults = new Map<string, string>();
  preview: Preview | null = null;
  /** Why there is no preview. */
  unclear: ReadonlyMap<string, string> | null = null;
  told: Told[] = [];
  /** What was last done, or why it was not: said aloud. */
  said: { text: string; bad: boolean } | null = null;
  /** Whether a click on the map chooses the place. */
  choosing = false;
  /** Whether the removal of the open one waits for a second click. */
  removing = false;
  endpoint: string | null = null;
  /** Help with typing; empty until it is here. */
  places: server.Places = { countries: [], regions: [] };

  #key = sessionStorage.getItem(KEY) ?? "";
  #shown: string | null = null;
  #timer = 0;
  #asking = new AbortController();
  #again = 0;

  constructor(private readonly app: App) {
    if (this.#key !== "") void this.enter(this.#key);
    server.askPlaces().then(
      (places) => {
        this.places = places;
        app.invalidate();
      },
      () => undefined, // without them a name is typed whole
    );
    void ownEndpoint().then((endpoint) => {
      this.endpoint = endpoint;
      app.invalidate();
    });
  }

  /** Follow the address: which one is open. */
  look(wanted: string | null): void {
    if (this.access !== "open" || wanted === this.#shown) return;
    this.#shown = wanted;
    this.#leave();
    if (wanted === "new") {
      const { place, preferences } = this.app;
      this.edit(newDraft(place, preferences.language, preferences.units, ownZone()));
    } else if (wanted !== null) {
      void this.#read(wanted);
    }
  }

  /** The key of ALERTS_TOKEN; kept as long as this tab. */
  async enter(key: string): Promise<void> {
    this.#key = key;
    this.busy = true;
    try {
      this.list = await server.askSubscriptions(key);
      this.access = "open";
      sessionStorage.setItem(KEY, key);
    } catch (error) {
      this.#refused(error);
    }
    this.busy = false;
    this.app.invalidate();
  }

  leave(): void {
    sessionStorage.removeItem(KEY);
    this.#key = "";
    this.#shown = null;
    this.#leave();
    this.list = [];
    this.access = "asks";
    this.app.set({ alert: null });
  }

  /** The draft is now this: shown on the map, and tried. */
  edit(change: Partial<Draft> | Draft): void {
    this.faults = leftOf(this.faults, this.draft, change);
    if (this.faults.size === 0 && this.said?.bad) this.said = null;
    this.draft = { ...(this.draft as Draft), ...change };
    this.app.outline(outlineOf(this.draft));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#try(), PREVIEW_AFTER_MS);
    this.app.invalidate();
  }

  /** Choose the place by the next click on the map. */
  choose(on: boolean): void {
    this.choosing = on;
    this.app.choosing = on
      ? (point) => {
          this.choose(false);
          this.#place(point);
        }
      : null;
    this.app.invalidate();
  }

  #place({ latitude, longitude }: Point): void {
    this.edit({ kind: "circle", latitude: latitude.toFixed(3), longitude: longitude.toFixed(3) });
  }

  async save(): Promise<boolean> {
    if (!this.draft || this.busy) return false;
    const id = this.open?.id ?? null;
    let stored: Subscription | null = null;
    await this.#do("alerts.saved", async () => {
      stored = await server.putSubscription(this.#key, id, documentOf(this.draft as Draft));
      this.list = [stored, ...this.list.filter((one) => one.id !== stored?.id)];
      this.#take(stored);
      this.#shown = stored.id;
      this.app.set({ alert: stored.id }, id === null);
      await this.#dropUnused();
    });
    return stored !== null;
  }

  async remove(): Promise<void> {
    const id = this.open?.id;
    if (id === undefined) return;
    await this.#do("alerts.removed", async () => {
      await server.removeSubscription(this.#key, id);
      this.list = this.list.filter((one) => one.id !== id);
      await this.#dropUnused();
      this.app.set({ alert: null });
      this.look(null);
    });
  }

  async snooze(hours: number | null): Promise<void> {
    const id = this.open?.id;
    if (id === undefined) return;
    await this.#do(hours === null ? "alerts.woken" : "alerts.snoozed", async () => {
      const until = hours === null ? null : Math.round(this.app.realNow() + hours * 3_600_000);
      const stored = await server.snooze(this.#key, id, until);
      this.list = this.list.map((one) => (one.id === id ? stored : one));
      this.open = stored;
      // What was typed stays; what is carried along is as it is now.
      if (this.draft) this.draft = { ...this.draft, base: draftOf(stored).base };
    });
  }

  async test(): Promise<void> {
    const id = this.open?.id;
    if (id !== undefined) await this.#send(() => server.sendTest(this.#key, id), "alerts.test.sent");
  }

  async drill(drill: Record<string, number>): Promise<void> {
    const id = this.open?.id;
    if (id !== undefined) await this.#send(() => server.playDrill(this.#key, id, drill), "alerts.drill.sent");
  }

  /** Add this browser to the draft's channels, or put it in the place of one. */
  async thisBrowser(n: number | null): Promise<void> {
    await this.#do("alerts.browser.added", async () => {
      const target = await subscribe().catch((error: unknown) => {
        if (error instanceof server.Refused) throw error;
        throw new Error(text("alerts.browser.failed", { why: error instanceof Error ? error.message : String(error) }));
      });
      if (target === null) throw new Error(text("alerts.browser.denied"));
      this.endpoint = endpointOf(target);
      const channels = [...(this.draft?.channels ?? [])];
      channels.splice(n ?? channels.length, n === null ? 0 : 1, { channel: "webpush", to: "", given: target });
      this.edit({ channels });
    });
  }

  get hindrance(): ReturnType<typeof hindrance> {
    return hindrance();
  }

  // --- its parts --------------------------------------------------------------------------------------------------

  async #read(id: string): Promise<void> {
    try {
      const stored = await server.askSubscription(this.#key, id);
      if (this.#shown === id) this.#take(stored);
    } catch (error) {
      this.missing = error instanceof server.Refused && error.status === 404;
      this.#refused(error);
    }
    this.app.invalidate();
  }

  #take(stored: Subscription): void {
    this.open = stored;
    this.draft = null;
    this.edit(draftOf(stored));
    const point = pointOf(this.draft as unknown as Draft);
    if (point) this.app.map?.fly(point);
    void this.#readTold(stored.id);
  }

  #leave(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    this.#asking.abort();
    this.choose(false);
    this.open = null;
    this.draft = null;
    this.missing = false;
    this.removing = false;
    this.preview = null;
    this.unclear = null;
    this.told = [];
    this.faults = new Map();
    this.app.outline([]);
  }

  async #try(): Promise<void> {
    this.#asking.abort();
    if (!this.draft) return;
    if (!isSomewhere(this.draft)) {
      this.preview = null;
      this.unclear = new Map();
      this.app.invalidate();
      return;
    }
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const preview = await server.askPreview(this.#key, previewOf(this.draft), asking.signal);
      if (asking.signal.aborted) return;
      this.preview = preview;
      this.unclear = null;
    } catch (error) {
      if (asking.signal.aborted) return;
      this.preview = null;
      const refused = error instanceof server.Refused && error.status >= 400 && error.status < 500;
      this.unclear = refused ? inWords(faultsByField(error.faults, error.message)) : null;
    }
    this.app.invalidate();
  }

  async #readTold(id: string, untilMs = 0): Promise<void> {
    clearTimeout(this.#again);
    try {
      const told = await server.askTold(this.#key, id);
      if (this.open?.id !== id) return;
      this.told = told;
      // What is still on its way is looked at again until it has arrived, or not.
      if (Date.now() < untilMs || told.some((one) => OPEN.has(one.state)))
        this.#again = setTimeout(() => void this.#readTold(id, untilMs), LOOK_AGAIN_MS);
    } catch (error) {
      this.#refused(error);
    }
    this.app.invalidate();
  }

  async #send(send: () => Promise<unknown>, done: Key): Promise<void> {
    await this.#do(done, async () => {
      await send();
      if (this.open) await this.#readTold(this.open.id, Date.now() + DRILL_TAKES_MS);
    });
  }

  async #do(done: Key, work: () => Promise<void>): Promise<void> {
    this.busy = true;
    this.said = null;
    this.removing = false;
    this.app.invalidate();
    try {
      await work();
      this.faults = new Map();
      this.said = { text: text(done), bad: false };
    } catch (error) {
      this.#refused(error);
    }
    this.busy = false;
    this.app.invalidate();
  }

  /** A browser that nothing leads to any more need not be reachable. */
  async #dropUnused(): Promise<void> {
    const used = this.list.some((one) => one.how.channels.some((target) => endpointOf(target) === this.endpoint));
    if (this.endpoint === null || used) return;
    await unsubscribe();
    this.endpoint = null;
  }

  #refused(error: unknown): void {
    if (!(error instanceof server.Refused)) {
      // The browser's own word, as of its push service.
      this.said = { text: error instanceof Error ? error.message : String(error), bad: true };
      return;
    }
    const { status, faults, message } = error;
    if (status === 401) this.access = "wrong";
    else if (status === 403) this.access = "closed";
    else if (status === 404 && this.access !== "open") this.access = "off";
    else if (this.access !== "open") this.access = "away";
    else if (!this.missing) {
      const isFault = status === 400 || status === 422;
      this.faults = isFault ? inWords(faultsByField(faults, message)) : new Map();
      this.said = {
        text: text(isFault ? "fault.some" : status === 0 ? "alerts.access.away" : "fault.general"),
        bad: true,
      };
    }
    if (status === 401 || status === 403) {
      sessionStorage.removeItem(KEY);
      this.#shown = null;
    }
  }
}

function outlineOf(draft: Draft): ReturnType<typeof circle> {
  const [point, radius] = [pointOf(draft), radiusKmOf(draft)];
  return point && radius && radius < 19_000 ? circle(point, radius / KM_PER_DEGREE) : [];
}
