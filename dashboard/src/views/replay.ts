// The past again: a window of origin times and a slider through it. Everything on the page follows the slider's clock.

import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { text } from "../texts.ts";
import { icon } from "./parts.ts";

const DAY_MS = 86_400_000;
/** A whole window takes about so long to play. */
const PLAY_MS = 60_000;
const STEP_MS = 100;

let timer = 0;

export function replayControls(app: App): TemplateResult {
  const { state } = app;
  const start = (days: number): void => {
    const end = Math.floor(app.realNow() / 60_000) * 60_000;
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
  return replayBar(app);
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
      aria-valuetext="${format.moment(at)} ${format.zone(at)}"
    />
    <output>${format.moment(at)} ${format.zone(at)}</output>
    <button type="button" @click=${() => leave(app)}>${text("replay.leave")}</button>
  </div>`;
}

function play(app: App): void {
  clearInterval(timer);
  timer = setInterval(() => {
    const { starttime, endtime, replay } = app.state;
    if (starttime === null || endtime === null || replay === null) {
      pausePlay(app);
      return;
    }
    const next = replay + (endtime - starttime) * (STEP_MS / PLAY_MS);
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

function leave(app: App): void {
  clearInterval(timer);
  timer = 0;
  app.set({ replay: null, starttime: null, endtime: null }, true);
}
