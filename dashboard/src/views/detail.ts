// One earthquake: what it is, what it means for "my place", what each agency says, and how that came to be.

import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import {
  agencyName,
  type Doubt,
  type Earthquake,
  type EarthquakeDetail,
  type EarthquakeEvent,
  type Step,
  sizeTypeOf,
} from "../earthquake.ts";
import { asOf } from "../past.ts";
import { inWords } from "../reasons.ts";
import { distanceKm } from "../sphere.ts";
import { symbolOf } from "../symbols.ts";
import { counted, type Key, text, textIfKnown } from "../texts.ts";
import { whole } from "./connection.ts";
import { exposureView } from "./exposure.ts";
import { mechanisms } from "./mechanism.ts";
import { address, icon, modeTag, picture } from "./parts.ts";
import { revisionChart } from "./revisions.ts";
import { shareView } from "./share.ts";

export function detailView(app: App, id: string): TemplateResult {
  const { trouble } = app.inspector;
  const { asof } = app.state;
  const detail = app.inspector.detail && asof !== null ? asOf(app.inspector.detail, asof) : app.inspector.detail;
  const known = app.catalogue.get(id) ?? (asof === null ? app.inspector.earthquake : null);
  return html`
    <div class="detail-bar">
      <a class="button" href=${address(app, { id: null })} id="back">${icon("back")}${text("back")}</a>
      ${
        known
          ? html`<button type="button" @click=${() => app.map?.fly(known.location, 5)}>${icon("place")}${text("detail.show")}</button>`
          : nothing
      }
    </div>
    <article class="scroll detail" tabindex="-1" id="rows">
      ${known ? head(app, known) : asof !== null && detail ? html`<h1 class="empty" tabindex="-1">${text("asof.missing")}</h1>` : unknown(trouble)}
      ${known ? printedMap(known.id) : nothing}
      ${asof === null ? nothing : html`<p class="note">${text("asof.detail", { time: whole(app.format, asof) })} <a href=${address(app, { asof: null })}>${text("asof.today")}</a></p>`}
      ${detail && known ? (asof === null ? today(app, detail) : [agencies(app, detail), mechanisms(app, detail), history(app, detail)]) : nothing}
    </article>
  `;
}

const today = (app: App, detail: EarthquakeDetail): unknown[] => [
  doubts(app, detail),
  here(app, detail),
  exposureView(app, detail),
  agencies(app, detail),
  mechanisms(app, detail),
  shareView(app, detail),
  history(app, detail),
];
/** On paper alone, where the map on the screen can't go; a browser fetches it when it prints. */
const printedMap = (id: string): TemplateResult =>
  html`<img class="print-map print-only" loading="lazy" alt="" src=${`api/v1/earthquakes/${encodeURIComponent(id)}/map.png`} />`;

function unknown(trouble: App["inspector"]["trouble"]): TemplateResult {
  if (trouble === "missing") return html`<h1 class="empty" tabindex="-1">${text("detail.missing")}</h1>`;
  return html`<p class="empty">${text(trouble === "away" ? "list.no-answer" : "list.loading")}</p>`;
}

function head(app: App, earthquake: Earthquake): TemplateResult {
  const { format } = app;
  const { location, timestamp, region } = earthquake;
  const fact = (label: string, value: unknown): TemplateResult => html`<div><dt>${label}</dt><dd>${value}</dd></div>`;
  const gone = app.live.loaded && !app.catalogue.get(earthquake.id) && earthquake.status === "deleted";
  const place = app.format.place(earthquake);
  return html`<header class="hero">
      <div class="size">
        <b>${format.magnitude(earthquake.magnitude)}</b>
        <span>${earthquake.magnitude === null ? text("detail.no-magnitude") : sizeTypeWords(earthquake)}</span>
      </div>
      <div>
        <h1 tabindex="-1">${place ?? format.position(location)}</h1>
        <p>
          ${modeTag(earthquake)}
          <span class="tag status ${earthquake.status}">${textIfKnown(`status.${earthquake.status}`) ?? earthquake.status}</span>
          ${earthquake.type === "earthquake" ? nothing : html`<span class="tag status">${earthquake.type}</span>`}
          ${(earthquake.tsunami ?? 0) > 0 ? html`<span class="tag status">${text("detail.tsunami")}</span>` : nothing}
        </p>
      </div>
      ${picture(symbolOf(earthquake, app.now(), app.state.colour, app.theme), 24)}
    </header>
    ${gone ? html`<p class="note">${text("detail.deleted")}</p>` : nothing}
    ${app.isLeftOut ? html`<p class="note" id="left-out">${text("detail.left-out")}</p>` : nothing}
    <dl class="grid">
      ${fact(text("detail.time"), html`${format.moment(timestamp)} ${format.zone(timestamp)}<small>${format.ago(timestamp, app.now())}</small>`)}
      ${typeof earthquake.recordedTimestamp !== "number" ? nothing : fact(text("detail.recorded"), html`${format.moment(earthquake.recordedTimestamp)} ${format.zone(earthquake.recordedTimestamp)}`)}
      ${fact(text("detail.depth"), html`${format.depth(location.depth)}${plusMinus(app, earthquake.depthError)}`)}
      ${fact(text("detail.epicentre"), format.position(location))} ${region && region !== place ? fact(text("detail.region"), region) : nothing}
      ${earthquake.felt ? fact(text("detail.felt"), counted("detail.people", earthquake.felt)) : nothing}
    </dl>`;
}

/** "local magnitude (ml)"; a kind that has no words here by its sign alone. */
function sizeTypeWords(event: Pick<EarthquakeEvent, "magnitude" | "magnitudeType">): string {
  const words = textIfKnown(`size.${sizeTypeOf(event)}`);
  if (words === null) return `${text("magnitude")} ${event.magnitudeType ?? ""}`.trim();
  return `${words} (${event.magnitudeType})`;
}

const plusMinus = (app: App, km: number | null | undefined): string => (km ? ` ± ${app.format.distance(km)}` : "");

/** Expected shaking, distance and arrivals at the reader's own place. All computed, and said to be. */
function here(app: App, detail: EarthquakeDetail): TemplateResult {
  const { place, format } = app;
  const { shaking } = app.inspector;
  const heading = html`<h2>${icon("home")} ${text("here")}</h2>`;
  if (!place) {
    const open = (): void => document.querySelector<HTMLDialogElement>("#settings")?.showModal();
    return html`<section>${heading}<p class="soft">${text("here.none")} <button type="button" @click=${open}>${text("here.set")}</button></p></section>`;
  }
  const away = distanceKm(place, detail.location);
  const arrival = (ms: number | null | undefined): unknown => {
    if (ms === null || ms === undefined) return "–";
    const ahead = ms > app.now() && app.state.replay === null;
    return html`${format.clock(ms)} ${format.zone(ms)}${ahead ? html`<small>${format.ago(ms, app.now())}</small>` : nothing}`;
  };
  const intensity = shaking?.intensity;
  return html`<section>
    ${heading}
    <dl class="grid">
      <div><dt>${text("here.distance")}</dt><dd>${format.distance(away)}</dd></div>
      <div>
        <dt>${text("here.intensity")}</dt>
        <dd>
          ${
            intensity
              ? html`<b class="roman">${intensity.roman}</b> ${textIfKnown(`mmi.${intensity.roman}`) ?? ""}
                  <small>${text("here.range", { low: format.number(intensity.low, 1), high: format.number(intensity.high, 1) })}</small>`
              : shaking?.why
                ? inWords(shaking.why, format)
                : "…"
          }
        </dd>
      </div>
      <div><dt>${text("here.p")}</dt><dd>${arrival(shaking?.pArrival)}</dd></div>
      <div><dt>${text("here.s")}</dt><dd>${arrival(shaking?.sArrival)}</dd></div>
    </dl>
    <p class="soft small">
      ${text("here.computed", { model: intensity?.source ?? "–" })} ${intensity?.extrapolated ? text("here.extrapolated") : nothing}
    </p>
  </section>`;
}

/** Where a join or a split was close. */
function doubts(app: App, detail: EarthquakeDetail): TemplateResult | typeof nothing {
  if (!detail.doubts?.length) return nothing;
  const line = ({ what, reports: [one = "", other = ""], earthquake }: Doubt): TemplateResult => {
    if (what !== "may be the same as" || !earthquake) {
      return html`<li>${text("doubt.two", { one, other })}</li>`;
    }
    const known = app.catalogue.get(earthquake);
    const name = known
      ? `M ${app.format.magnitude(known.magnitude)} ${app.format.place(known)}`
      : text("doubt.another");
    return html`<li>
      ${text("doubt.same")} <a href=${address(app, { id: earthquake })}>${name}</a> <small>${text("doubt.same-why", { one, other })}</small>
    </li>`;
  };
  return html`<div class="doubts" role="note"><ul>${detail.doubts.map(line)}</ul></div>`;
}

/** Each source's latest word, side by side. */
function agencies(app: App, detail: EarthquakeDetail): TemplateResult {
  const { format } = app;
  const { solutions } = detail;
  const preferred = (one: EarthquakeEvent): boolean => `${one.source}:${one.id}` === detail.preferred;
  const later = (one: EarthquakeEvent): string => {
    const seconds = (one.timestamp - detail.timestamp) / 1000;
    return `${seconds < 0 ? "−" : "+"}${format.number(Math.abs(seconds), 1)} s`;
  };
  const rows: [Key, (one: EarthquakeEvent) => unknown][] = [
    [
      "agencies.magnitude",
      (one) =>
        html`<b>${format.magnitude(one.magnitude)}</b> <small>${one.magnitude === null ? nothing : sizeTypeWords(one)}</small>`,
    ],
    ["agencies.depth", (one) => html`${format.depth(one.location.depth)}${plusMinus(app, one.depthError)}`],
    ["agencies.time", (one) => (preferred(one) ? format.clock(one.timestamp) : later(one))],
    [
      "agencies.apart",
      (one) =>
        preferred(one) ? format.position(one.location) : format.distance(distanceKm(one.location, detail.location)),
    ],
    ["agencies.status", (one) => textIfKnown(`status.${one.status}`) ?? one.status],
    ["agencies.updated", (one) => (typeof one.updated !== "number" ? "–" : format.ago(one.updated, app.now()))],
    ["agencies.source", sourceLink],
  ];
  return html`<section>
    <h2>${text("agencies")} <small>${counted("list.reports", solutions.length)}</small></h2>
    <div class="wide" tabindex="0" role="group" aria-label=${text("agencies")}>
      <table class="agencies">
        <thead>
          <tr>
            <td></td>
            ${solutions.map(
              (one) => html`<th scope="col">
                ${agencyName(one)} ${preferred(one) ? html`<span class="tag status">${text("agencies.preferred")}</span>` : nothing}
                <small>${one.id}</small>
              </th>`,
            )}
          </tr>
        </thead>
        <tbody>
          ${rows.map(([name, cell]) => html`<tr><th scope="row">${text(name)}</th>${solutions.map((one) => html`<td>${cell(one)}</td>`)}</tr>`)}
        </tbody>
      </table>
    </div>
  </section>`;
}

/** Only web addresses: what a source sends is not trusted to be one. */
function sourceLink(one: EarthquakeEvent): TemplateResult | string {
  if (!one.url || !/^https?:\/\//i.test(one.url)) return "–";
  return html`<a class="out" href=${one.url} target="_blank" rel="noopener noreferrer"
    >${text("agencies.open")}<span class="hidden"> ${agencyName(one)}</span>${icon("link")}</a
  >`;
}

function history(app: App, detail: EarthquakeDetail): TemplateResult {
  const { format } = app;
  const step = (one: Step): TemplateResult => html`<li>
    <time datetime=${new Date(one.time).toISOString()}>${format.moment(one.time)}</time>
    <span
      ><b>${textIfKnown(`what.${one.what}`) ?? one.what}</b>${one.event ? html` · M ${format.magnitude(one.event.magnitude)} · ${agencyName(one.event)}` : nothing}
      <small>${inWords(one.why, format)}</small></span
    >
  </li>`;
  return html`<section>
    <h2>${text("history")} <small>${counted("history.steps", detail.history.length)}</small></h2>
    ${revisionChart(app, detail)}
    <ol class="steps">
      ${[...detail.history].reverse().map(step)}
    </ol>
  </section>`;
}
