// The past again, and what is practised: a window of origin times and a slider through it, the catalogue as it was at a
// moment, exercises, and what a made-up earthquake would do. Everything on the page follows the slider's clock.

import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { matches, windowOf } from "../filter.ts";
import { text } from "../texts.ts";
import { whole } from "./connection.ts";
import { address, choice, icon } from "./parts.ts";
import { scenarioView } from "./scenario.ts";

const DAY_MS = 86_400_000;
/** A whole window takes about so long to play, unless a speed is chosen. */
const PLAY_MS = 60_000;
const STEP_MS = 100;
/** Seconds of the past in a second. */
const SPEEDS = [1, 60, 600, 3_600, 21_600, 86_400] as const;

let timer = 0;

export function replayView(app: App): TemplateResult {
  return html`<div class="scroll page" tabindex="-1" id="rows">
    <section>
      <h1 tabindex="-1">${text("replay.title")}</h1>
      <h2>${text("replay")}</h2>
      ${replayControls(app)}
    </section>
    <section>
      <h2>${text("asof")}</h2>
      ${asOfControls(app)}
    </section>
    <section id="exercises">
      <h2>${text("exercises")}</h2>
      ${exercises(app)}
    </section>
    <section id="scenario">
      <h2>${text("scenario")}</h2>
      ${scenarioView(app)}
    </section>
  </div>`;
}

function replayControls(app: App): TemplateResult {
  const { state } = app;
  const start = (days: number): void => {
    const end = Math.floor((state.asof ?? app.realNow()) / 60_000) * 60_000;
    app.set({ starttime: end - days * DAY_MS, endtime: end, replay: end - days * DAY_MS }, true);
    play(app);
  };
  if (state.replay === null) {
    const own = state.starttime !== null && state.endtime !== null;
    const restart = (): void => {
      app.set({ replay: state.starttime }, true);
      play(app);
    };
    return html`<p class="soft">${text("replay.what")}</p>
      <p class="buttons">
        ${([1, 7, 30] as const).map((days) => html`<button type="button" @click=${() => start(days)}>${text(`replay.${days}`)}</button>`)}
        ${own ? html`<button type="button" class="solid" @click=${restart}>${text("replay.window")}</button>` : nothing}
      </p>`;
  }
  return html`${replayBar(app)} ${speeds(app)}`;
}

function speeds(app: App): TemplateResult {
  return html`<div class="buttons">
    ${choice(
      text("replay.speed"),
      SPEEDS.map((speed) => ({ value: String(speed), label: text(`replay.speed.${speed}`) })),
      app.state.speed === null ? null : String(app.state.speed),
      (speed) => app.set({ speed: Number(speed) }, false),
    )}
    <button type="button" @click=${() => toNext(app)}>${text("replay.next")}</button>
  </div>`;
}

/** The slider itself; on the map as well, wherever one looks. */
export function replayBar(app: App): TemplateResult {
  const { state, format } = app;
  const [from, to, at] = [state.starttime ?? 0, state.endtime ?? 0, state.replay ?? 0];
  const moved = (event: Event): void => app.set({ replay: (event.target as HTMLInputElement).valueAsNumber }, false);
  return html`<div class="replay" role="group" aria-label=${text("replay")}>
    <button type="button" @click=${() => (timer === 0 ? play(app) : pausePlay(app))} aria-label=${text(timer === 0 ? "replay.play" : "replay.halt")}>
      ${icon(timer === 0 ? "play" : "pause")}
    </button>
    <input
      type="range"
      min=${from}
      max=${to}
      step=${Math.max(1000, Math.round((to - from) / 2000))}
      .value=${String(at)}
      @input=${moved}
      aria-label=${text("replay.slider")}
      aria-valuetext=${whole(format, at)}
    />
    <output>${whole(format, at)}</output>
    <button type="button" @click=${() => leave(app)}>${text("replay.leave")}</button>
  </div>`;
}

function play(app: App): void {
  clearInterval(timer);
  const { starttime, endtime, replay } = app.state;
  if (starttime !== null && replay !== null && replay >= (endtime ?? 0)) app.advance(starttime); // once more
  timer = setInterval(() => {
    const { starttime, endtime, replay, speed } = app.state;
    if (starttime === null || endtime === null || replay === null) {
      pausePlay(app);
      return;
    }
    const step = speed === null ? (endtime - starttime) * (STEP_MS / PLAY_MS) : speed * STEP_MS;
    const next = replay + step;
    app.advance(Math.min(endtime, next));
    if (next >= endtime) pausePlay(app);
  }, STEP_MS);
  app.invalidate();
}

function pausePlay(app: App): void {
  clearInterval(timer);
  timer = 0;
  if (app.state.replay !== null) app.set({ replay: Math.round(app.state.replay) }, false);
  app.invalidate();
}

/** To the moment of the next earthquake that the filters let through. */
function toNext(app: App): void {
  const { asked, state, area } = app;
  const window = windowOf(asked, app.now());
  let next = Number.POSITIVE_INFINITY;
  for (const one of app.catalogue.all()) {
    if (one.timestamp > (state.replay ?? 0) && one.timestamp < next && matches(one, asked, window, area))
      next = one.timestamp;
  }
  if (Number.isFinite(next)) app.set({ replay: next }, false);
}

function leave(app: App): void {
  clearInterval(timer);
  timer = 0;
  app.set({ replay: null, starttime: null, endtime: null }, true);
}

/** The catalogue at any moment that it keeps. */
function asOfControls(app: App): TemplateResult {
  const { asof } = app.state;
  if (asof !== null) {
    return html`<p><b>${text("asof.tag", { time: whole(app.format, asof) })}</b></p>
      <p class="buttons"><a class="button" href=${address(app, { asof: null })}>${text("replay.leave")}</a></p>`;
  }
  const utc = app.preferences.zone === "utc";
  const go = (event: Event): void => {
    event.preventDefault();
    const said = String(new FormData(event.target as HTMLFormElement).get("asof") ?? "");
    const ms = Date.parse(utc ? `${said}Z` : said);
    if (Number.isFinite(ms)) app.set({ asof: Math.min(ms, app.realNow()), view: "list", replay: null }, true);
  };
  const ago = (ms: number): string =>
    address(app, { asof: Math.floor((app.realNow() - ms) / 60_000) * 60_000, view: "list", replay: null });
  return html`<p class="soft">${text("asof.what")}</p>
    <form class="line" @submit=${go}>
      <label><span>${text("asof.moment", { zone: app.format.zone(app.realNow()) })}</span><input name="asof" type="datetime-local" step="1" required /></label>
      <button class="solid">${text("asof.show")}</button>
    </form>
    <p class="buttons">
      <a class="button" href=${ago(3_600_000)}>${text("asof.hour")}</a>
      <a class="button" href=${ago(DAY_MS)}>${text("asof.day")}</a>
    </p>`;
}

function exercises(app: App): TemplateResult {
  let [exercise, test] = [0, 0];
  for (const { mode } of app.catalogue.all()) {
    if (mode === "exercise") exercise++;
    else if (mode === "test") test++;
  }
  const here = (mode: "exercise" | "test", count: number): TemplateResult =>
    html`<a class="button" href=${address(app, { mode, view: "list", period: "all", starttime: null, endtime: null, replay: null })}
      >${text(`exercises.${mode}`, { count: app.format.number(count) })}</a
    >`;
  return html`<p class="soft">${text("exercises.what")}</p>
    <p class="buttons">${here("exercise", exercise)} ${here("test", test)}</p>
    <p class="soft small">${text("exercises.how")} <code>quakestream up --demo</code>, <code>quakestream replay FILE --shift-to-now</code>.</p>`;
}
