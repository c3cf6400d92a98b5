// Which earthquakes, in what order. What is set here holds for the map, the list and the charts alike.

import { html, nothing, type TemplateResult } from "lit-html";
import { MOST } from "../api.ts";
import type { App } from "../app.ts";
import { smallMedia } from "../media.ts";
import { type Asked, MODES, PERIODS, SORTS, type State } from "../state.ts";
import { counted, type Key, text } from "../texts.ts";
import { choice, icon, toggle } from "./parts.ts";

const MAGNITUDES = [null, 1, 2.5, 4.5, 6] as const;

/** `ordered`: what is shown has an order; charts have none. */
export function filters(app: App, ordered = true): TemplateResult {
  const { state, format } = app;
  const { asked } = app;
  const set = (change: Partial<State>): void => app.set({ ...settled(app, change), ...change }, false);
  const period = state.starttime === null && state.endtime === null ? asked.period : null;
  const magnitudes = [...new Set([...MAGNITUDES, asked.minmagnitude])].sort((a, b) => (a ?? -99) - (b ?? -99));
  const count = countLine(app);
  return html`
    <form class="filters" aria-label=${text("filters.label")} @submit=${(event: Event) => event.preventDefault()}>
      <details class="choices" ?open=${!smallMedia.matches}>
      <summary>${text("filters.label")}</summary>
      <div class="line">
        ${choice(
          text("filters.period"),
          PERIODS.map((value) => ({ value, label: text(`period.${value}`), hint: text(`period.${value}.long`) })),
          period,
          (value) => set({ period: value, starttime: null, endtime: null, replay: null }),
        )}
        <label class="select"
          ><span class="hidden">${text("filters.magnitude")}</span>
          <select
            id="minmagnitude"
            @change=${(event: Event) => {
              const { value } = event.target as HTMLSelectElement;
              set({ minmagnitude: value === "" ? null : Number(value) });
            }}
          >
            ${magnitudes.map(
              (value) => html`<option value=${value ?? ""} ?selected=${value === asked.minmagnitude}>
                ${value === null ? text("filters.all-magnitudes") : text("filters.from-magnitude", { magnitude: format.number(value, 1) })}
              </option>`,
            )}
          </select></label
        >
      </div>
      <div class="line">
        ${ordered ? order(app, set) : nothing}
        ${toggle(text("filters.onmap"), state.onmap, (onmap) => set({ onmap }))}
      </div>
      ${place(app, set)} ${chips(app, set)}
      </details>
      <div class="line foot">
        <p class="count" id="count">${count}${app.live.cut ? html` <em>${text("list.cut", { most: format.number(MOST) })}</em>` : nothing}</p>
        ${
          asked.minmagnitude !== null && ordered
            ? html`<button type="button" class="quiet" id="smaller" @click=${() => set({ minmagnitude: null })}>${text("list.smaller")}</button>`
            : nothing
        }
        ${more(app, set)}
      </div>
      ${state.period === "auto" && ordered ? html`<p class="chosen small" id="chosen">${text(chosenOf(asked))}</p>` : nothing}
    </form>
  `;
}

/** How many are listed; while they are on their way, how many there are to be. */
function countLine({ live, listing, format }: App): string {
  const { loading } = live;
  if (loading === null)
    return counted("list.count", listing.listed.length, { count: format.number(listing.listed.length) });
  if (loading.have === 0 || loading.of === null) return text("list.loading");
  return text("list.loading-of", { n: format.number(loading.have), of: format.number(loading.of) });
}

/** Once somebody sets a bound on size or time, what the page had chosen for the others stays. */
function settled(app: App, change: Partial<State>): Partial<State> {
  const { state, asked } = app;
  const names = ["period", "starttime", "endtime", "minmagnitude", "maxmagnitude"];
  if (state.period !== "auto" || !names.some((name) => name in change)) return {};
  return { period: asked.period, minmagnitude: asked.minmagnitude };
}

const chosenOf = ({ period, minmagnitude }: Asked): Key =>
  minmagnitude === null ? "list.chosen.any" : period === "week" ? "list.chosen.week" : "list.chosen";

/** A place by its name, and what it was taken for. */
function place(app: App, set: (change: Partial<State>) => void): TemplateResult {
  const { state, area, format } = app;
  const around = area?.circle;
  const unknown = area !== null && area.country === null && around === null && app.namesKnown;
  return html`<label class="where"
    ><span>${text("filters.where")}</span
    ><input
      id="where"
      type="search"
      maxlength="100"
      autocomplete="off"
      placeholder=${text("filters.where.hint")}
      .value=${state.where ?? ""}
      @change=${(event: Event) => set({ where: (event.target as HTMLInputElement).value.trim() || null })}
      @search=${(event: Event) => set({ where: (event.target as HTMLInputElement).value.trim() || null })}
    />${
      around
        ? html`<small>${text("filters.where.around", { name: around.name, distance: format.distance(around.radiusKm) })}</small>`
        : unknown
          ? html`<small>${text("filters.where.unknown")}</small>`
          : nothing
    }</label
  >`;
}

function order(app: App, set: (change: Partial<State>) => void): TemplateResult {
  return choice(
    text("sort.label"),
    SORTS.map((value) => ({
      value,
      label: text(`sort.${value}`),
      ...(value === "nearest" && !app.place ? { hint: text("sort.needs-place") } : {}),
    })),
    app.state.sort,
    (value) => {
      if (value === "nearest" && !app.place) document.querySelector<HTMLDialogElement>("#settings")?.showModal();
      else set({ sort: value });
    },
  );
}

function more({ state, preferences, format }: App, set: (change: Partial<State>) => void): TemplateResult {
  const utc = preferences.zone === "utc";
  const time = (name: "starttime" | "endtime"): TemplateResult => html`<label
    ><span>${text(`filters.${name}`)}</span
    ><input
      type="datetime-local"
      .value=${inputTime(state[name], utc)}
      @change=${(event: Event) => set({ [name]: readTime((event.target as HTMLInputElement).value, utc), replay: null })}
  /></label>`;
  // `inOne`: how much one of the reader's units is of the address's.
  const bound = (
    name: "minmagnitude" | "maxmagnitude" | "mindepth" | "maxdepth",
    step: number,
    inOne = 1,
  ): TemplateResult => html`<label
    ><span>${text(`filters.${name}`, { unit: format.unit })}</span
    ><input
      type="number"
      step=${inOne === 1 ? step : "any"}
      .value=${state[name] === null ? "" : String(Number((state[name] / inOne).toFixed(1)))}
      @change=${(event: Event) => {
        const { valueAsNumber } = event.target as HTMLInputElement;
        set({ [name]: Number.isFinite(valueAsNumber) ? Number((valueAsNumber * inOne).toFixed(2)) : null });
      }}
  /></label>`;
  const unitKm = 1 / format.inUnit(1);
  return html`<details class="more">
    <summary>${text("filters.more")}</summary>
    <div class="fields">
      ${time("starttime")} ${time("endtime")} ${bound("minmagnitude", 0.1)} ${bound("maxmagnitude", 0.1)} 
      ${bound("mindepth", 1, unitKm)} ${bound("maxdepth", 1, unitKm)}
      <label
        ><span>${text("filters.mode")}</span
        ><select @change=${(event: Event) => set({ mode: (event.target as HTMLSelectElement).value as State["mode"] })}>
          ${MODES.map((mode) => html`<option value=${mode} ?selected=${mode === state.mode}>${text(`modes.${mode}`)}</option>`)}
        </select></label
      >
    </div>
  </details>`;
}

/** What else is filtered, each with a way out of it. */
function chips({ state, format }: App, set: (change: Partial<State>) => void): TemplateResult | typeof nothing {
  const chips: { label: string; undo: Partial<State> }[] = [];
  const range = (least: string | null, most: string | null): string =>
    most === null ? `≥ ${least}` : least === null ? `≤ ${most}` : `${least} – ${most}`;
  if (state.starttime !== null || state.endtime !== null) {
    const [from, to] = [state.starttime, state.endtime].map((ms) => (ms === null ? null : format.moment(ms)));
    chips.push({ label: range(from ?? null, to ?? null), undo: { starttime: null, endtime: null, replay: null } });
  }
  if (state.maxmagnitude !== null) {
    const [least, most] = [state.minmagnitude, state.maxmagnitude].map((m) =>
      m === null ? null : format.number(m, 1),
    );
    chips.push({ label: `M ${range(least ?? null, most ?? null)}`, undo: { minmagnitude: null, maxmagnitude: null } });
  }
  if (state.mindepth !== null || state.maxdepth !== null) {
    const [least, most] = [state.mindepth, state.maxdepth].map((km) => (km === null ? null : format.depth(km)));
    chips.push({
      label: text("filters.depth", { range: range(least ?? null, most ?? null) }),
      undo: { mindepth: null, maxdepth: null },
    });
  }
  if (state.mode !== "all") chips.push({ label: text(`modes.${state.mode}`), undo: { mode: "all" } });
  if (chips.length === 0) return nothing;
  return html`<ul class="chips">
    ${chips.map(
      ({ label, undo }) =>
        html`<li>
          <button type="button" @click=${() => set(undo)} aria-label=${text("filters.remove", { filter: label })}>${label} ${icon("close")}</button>
        </li>`,
    )}
  </ul>`;
}

function inputTime(ms: number | null, utc: boolean): string {
  if (ms === null) return "";
  const shifted = utc ? ms : ms - new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(shifted).toISOString().slice(0, 16);
}

function readTime(value: string, utc: boolean): number | null {
  const ms = Date.parse(utc ? `${value}Z` : value);
  return Number.isFinite(ms) ? ms : null;
}
