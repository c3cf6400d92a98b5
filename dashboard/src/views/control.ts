// Start and stop of the stream, where the server says where that is done; else nothing of it is shown.

import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { askStream, control, EXERCISE, type Outcome, type StreamState } from "../control.ts";
import { addressOf } from "../service.ts";
import { text } from "../texts.ts";

const EVERY_MS = 10_000;

let key = "";
let stream: StreamState | "away" | null = null;
let outcome: (Outcome & { asked: "start" | "stop" }) | null = null;
let askedMs = Number.NEGATIVE_INFINITY;
/** An exercise takes the place of what runs: it is asked twice. */
let sure = false;

export function streamControl(app: App): TemplateResult | typeof nothing {
  if (addressOf() === "") return nothing;
  look(app);
  const enter = (event: Event): void => {
    key = (event.target as HTMLInputElement).value.trim();
  };
  const act = (what: "start" | "stop", body?: object): void => {
    sure = false;
    void control(what, key, body).then((done) => {
      outcome = { ...done, asked: what };
      askedMs = Number.NEGATIVE_INFINITY;
      app.invalidate();
    });
  };
  const names = stream === null || stream === "away" ? "" : stream.sources.map((one) => one.name).join(", ");
  return html`<section id="control">
    <h2>${text("control")}</h2>
    <p>${state()}</p>
    <form @submit=${(event: Event) => event.preventDefault()}>
      <label class="key"><span>${text("control.key")}</span><input type="password" autocomplete="off" .value=${key} @input=${enter} /></label>
      <p class="soft small">${text("control.key.what")}</p>
      <p class="buttons">
        <button type="button" @click=${() => act("start")}>${text("control.start")}</button>
        <button type="button" @click=${() => act("stop")}>${text("control.stop")}</button>
        <button
          type="button"
          @click=${() => {
            sure = !sure;
            app.invalidate();
          }}
        >${text("control.exercise")}</button>
      </p>
      ${
        sure
          ? html`<div class="note" role="alert">
              <p>${text("control.exercise.sure", { names: names || "–" })}</p>
              <button type="button" class="solid" @click=${() => act("start", EXERCISE)}>${text("control.exercise.yes")}</button>
            </div>`
          : nothing
      }
    </form>
    <p class="told" role="status">${outcome === null ? "" : said(outcome)}</p>
  </section>`;
}

function look(app: App): void {
  if (performance.now() - askedMs < EVERY_MS) return;
  askedMs = performance.now();
  askStream().then(
    (found) => {
      stream = found;
      app.invalidate();
    },
    () => {
      stream = "away";
      app.invalidate();
    },
  );
}

function state(): string {
  if (stream === null) return text("list.loading");
  if (stream === "away") return text("control.away", { origin: location.origin });
  const { used, size } = stream.queue;
  const sources = stream.sources.map((one) => one.name).join(", ");
  return `${text(stream.running ? "control.running" : "control.stopped", { sources: sources || "–" })} ${text("control.queue", { used, size })}`;
}

function said({ what, asked, detail }: Outcome & { asked: "start" | "stop" }): string {
  if (what === "done") return text(`control.done.${asked}`);
  if (what === "away") return text("control.away", { origin: location.origin });
  return text(what === "key" ? "control.key.wrong" : "control.refused", { detail });
}
