// The frame: banner, header, map and panel, and what stands in the browser's own title.

import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { type Drill, drillOf } from "../earthquake.ts";
import { VIEWS } from "../state.ts";
import { counted, text } from "../texts.ts";
import { connectionBadge, whole } from "./connection.ts";
import { detailView } from "./detail.ts";
import { headline } from "./headline.ts";
import { listView } from "./list.ts";
import { mapControls } from "./mapcontrols.ts";
import { address, icon } from "./parts.ts";
import { replayView } from "./replay.ts";
import { settings } from "./settings.ts";
import { statusView } from "./status.ts";

/** Views that are fetched when first looked at: charts come with a library of their own, alerts are for few. */
type View = (app: App) => TemplateResult;
const LATER = {
  charts: async (): Promise<View> => (await import("./charts.ts")).chartsView,
  alerts: async (): Promise<View> => (await import("./alerts.ts")).alertsView,
};
const here = new Map<keyof typeof LATER, View>();

export function shell(app: App): TemplateResult {
  const { state } = app;
  return html`
    <a class="skip" href="#rows">${text("skip")}</a>
    <header class="top">${banner(app)} ${bar(app)}</header>
    ${headline(app)}
    <main class="layout" data-view=${state.id !== null ? "detail" : state.view === "alerts" && state.alert ? "alert" : state.view}>
      <section class="stage" aria-label=${text("map.label")}>
        <div id="map"></div>
        ${mapControls(app)}
      </section>
      <section class="panel" aria-label=${text(state.id === null ? `view.${state.view}` : "view.detail")}>${panel(app)}</section>
    </main>
    ${settings(app)}
  `;
}

function panel(app: App): TemplateResult {
  if (app.state.id !== null) return detailView(app, app.state.id);
  switch (app.state.view) {
    case "charts":
    case "alerts":
      return later(app, app.state.view);
    case "status":
      return statusView(app);
    case "replay":
      return replayView(app);
    default:
      return listView(app);
  }
}

function later(app: App, name: keyof typeof LATER): TemplateResult {
  const view = here.get(name);
  if (view) return view(app);
  void LATER[name]().then((loaded) => {
    here.set(name, loaded);
    app.invalidate();
  });
  return html`<p class="empty">${text("list.loading")}</p>`;
}

function bar(app: App): TemplateResult {
  const { state } = app;
  return html`<div class="bar">
    <a class="brand" href=${address(app, { view: "list", id: null })} aria-label="Quakestream">
      <svg viewBox="0 0 32 32" aria-hidden="true"><circle cx="16" cy="16" r="3.500" /><circle cx="16" cy="16" r="8.500" /><circle cx="16" cy="16" r="14" /></svg>
      <span>Quakestream</span>
    </a>
    ${connectionBadge(app)}
    <nav aria-label=${text("nav")}>
      ${VIEWS.map(
        (view) => html`<a
          href=${address(app, { view, id: null, alert: null })}
          aria-current=${state.view === view && state.id === null ? "page" : nothing}
          >${icon(view)}<span>${text(`view.${view}`)}</span></a
        >`,
      )}
    </nav>
    <button
      type="button"
      class="quiet"
      id="pause"
      aria-pressed=${app.listing.paused}
      @click=${() => app.pause(!app.listing.paused)}
      title=${text(app.listing.paused ? "resume" : "pause")}
    >
      ${icon(app.listing.paused ? "play" : "pause")}<span class=${app.listing.paused ? "" : "hidden"}
        >${app.listing.paused ? counted("waiting", app.listing.waiting) : text("pause")}</span
      >
    </button>
    <button type="button" class="quiet" id="open-settings" @click=${() => document.querySelector<HTMLDialogElement>("#settings")?.showModal()}>
      ${icon("settings")}<span class="hidden">${text("settings")}</span>
    </button>
  </div>`;
}

function banner(app: App): TemplateResult | typeof nothing {
  const { kinds } = app;
  const drills = [...kinds].filter((kind) => kind !== null);
  const parts: TemplateResult[] = [];
  if (app.state.replay !== null) {
    const tag = text("replay.of", { time: whole(app.format, app.state.replay) });
    parts.push(html`<p class="replaying" id="replaying"><b>${tag}</b> ${text("replay.banner")}</p>`);
  }
  if (app.state.asof !== null) {
    parts.push(html`<p class="replaying" id="asof">
      <b>${text("asof.tag", { time: whole(app.format, app.state.asof) })}</b> ${text("asof.banner")}
      <a href=${address(app, { asof: null })}>${text("replay.leave")}</a>
    </p>`);
  }
  if (app.status?.blindSince) {
    const ago = app.format.ago(app.status.blindSince, app.realNow());
    parts.push(html`<p class="error" id="blind" role="alert">${text("banner.blind", { ago })}</p>`);
  }
  if (drills.length > 0) {
    const all = !kinds.has(null);
    const names = named(drills).join(" · ");
    parts.push(
      html`<p class="drills" id="drills" role="note"><b>${names}</b> <span>${text("banner.drill")} ${all ? nothing : text("banner.some")}</span></p>`,
    );
  }
  return parts.length > 0 ? html`${parts}` : nothing;
}

/** What kinds are called, each name once: a recording is an exercise. */
const named = (kinds: readonly Drill[]): string[] => [...new Set(kinds.map((kind) => text(`mode.${kind}`)))];

/** "[EXERCISE] M 5.2 Fiji – Quakestream": of the one that is open, else of the one that matters. The mark is that one's
 * own; with none, it is there where nothing that is shown is real. */
export function title(app: App): string {
  const told = app.selected ?? app.headline;
  const kinds = told ? [drillOf(told)] : [...app.kinds];
  const unreal = kinds.filter((kind) => kind !== null);
  const marks = unreal.length < kinds.length ? [] : named(unreal).map((name) => `[${name}] `);
  const { asof, replay } = app.state;
  const then =
    asof !== null
      ? `${text("asof.tag", { time: whole(app.format, asof) })} – `
      : replay !== null
        ? `${text("replay.of", { time: whole(app.format, replay) })} – `
        : "";
  const what = told ? `M ${app.format.magnitude(told.magnitude)} ${app.format.place(told) ?? ""} – ` : "";
  const waiting = app.listing.paused && app.listing.waiting > 0 ? `(${app.listing.waiting}) ` : "";
  return `${marks.join("")}${then}${waiting}${what}Quakestream`;
}
