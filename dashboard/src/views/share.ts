// Taking something along: the link, the picture and the files of an earthquake; the files of a list; code for an article.

import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import type { EarthquakeDetail } from "../earthquake.ts";
import { canShare, copy, share } from "../handing.ts";
import {
  agencyLinks,
  boxInSight,
  capAddress,
  embedCode,
  FILES,
  type Format,
  fileAddress,
  fileName,
  frameOf,
  listAddress,
  listFrame,
  MOST_IN_A_FILE,
  modeOfFile,
  pictureAddress,
  sharedTitle,
} from "../share.ts";
import { counted, text } from "../texts.ts";
import { address, icon } from "./parts.ts";

const ONE: readonly Format[] = ["xml", "geojson"];
const MANY: readonly Format[] = ["csv", "geojson", "xml", "kml"];
const ONE_PX = 680;
const MANY_PX = 900;

/** What was done last, in words, and where that is said. */
let told: { where: string; words: string } | null = null;

const absolute = (path: string): string => new URL(path, document.baseURI).href;
/** What the server says of itself in the page: empty for what it has not. */
const says = (name: "embeds" | "parquet"): boolean =>
  (document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "") !== "";
/** The formats of a list. Parquet needs an extra of the server's. */
const many = (): Format[] => [...MANY, ...(says("parquet") ? (["parquet"] as const) : [])];

function tell(app: App, where: string, words: string): void {
  told = { where, words };
  app.invalidate();
}

/** Said aloud as well; empty until something was done here. */
const feedback = (where: string): TemplateResult =>
  html`<p class="told" role="status">${told?.where === where ? told.words : ""}</p>`;

function copying(app: App, where: string, what: string): () => void {
  return () =>
    void copy(what).then((done) => tell(app, where, done ? text("share.copied") : text("share.not-copied", { what })));
}

/** A field that is copied from, and its button. */
function copied(app: App, where: string, label: string, what: string): TemplateResult {
  const all = (event: Event): void => (event.target as HTMLTextAreaElement).select();
  return html`<div class="copied">
    <label><span>${label}</span><textarea readonly rows="2" .value=${what} @focus=${all}></textarea></label>
    <button type="button" @click=${copying(app, where, what)}>${icon("copy")}${text("share.copy")}</button>
  </div>`;
}

/** Below an earthquake: its link, picture, files, code for an article, and the agencies' own pages. */
export function shareView(app: App, detail: EarthquakeDetail): TemplateResult {
  const { id, mode, revision } = detail;
  const where = `one-${id}`;
  const link = absolute(`?id=${encodeURIComponent(id)}`);
  const title = sharedTitle(detail);
  const named = (ending: string): string => fileName(mode, `earthquake-${id}`, detail.timestamp, ending);
  const file = (href: string, name: string, label: string): TemplateResult =>
    html`<a class="button" href=${href} download=${name}>${icon("download")}${label}</a>`;
  return html`<section id="share">
    <h2>${icon("share")} ${text("share")}</h2>
    ${mode === "actual" ? nothing : html`<p class="tag drill">${text(`share.drill.${mode}`)}</p>`}
    <p class="buttons">
      <button type="button" @click=${copying(app, where, link)}>${icon("copy")}${text("share.link")}</button>
      ${
        canShare()
          ? html`<button type="button" @click=${() => void share(title, link)}>${icon("share")}${text("share.send")}</button>`
          : nothing
      }
      ${file(pictureAddress(id, revision), named("png"), text("share.picture"))}
      ${ONE.map((format) => file(fileAddress(detail, format), named(FILES[format]), text(`format.${format}`)))}
      ${file(capAddress(id), named("cap.xml"), text("format.cap"))}
    </p>
    ${feedback(where)}
    ${agencyPages(detail)} ${embedding(app, where, embedCode(absolute(frameOf(id, app.preferences.language)), title, ONE_PX))}
  </section>`;
}

function agencyPages(detail: EarthquakeDetail): TemplateResult | typeof nothing {
  const links = agencyLinks(detail.solutions);
  if (links.length === 0) return nothing;
  return html`<ul class="agency-pages">
    ${links.map(
      ({ what, url, agency }) =>
        html`<li><a class="out" href=${url} target="_blank" rel="noopener noreferrer">${text(`agency.${what}`, { agency })}${icon("link")}</a></li>`,
    )}
  </ul>`;
}

function embedding(app: App, where: string, code: string): TemplateResult {
  return html`<details class="embedding">
    <summary>${text("share.embed")}</summary>
    ${says("embeds") ? nothing : html`<p class="note">${text("share.embed.nobody")}</p>`}
    ${copied(app, where, text("share.embed.code"), code)}
  </details>`;
}

/** Above a list or charts: what is shown as files, and where programs get the same. */
export function downloads(app: App): TemplateResult {
  const { asked: state, window, listing } = app;
  const { listed } = listing;
  const mode = modeOfFile(state, listed);
  const others = listed.filter((one) => one.mode !== mode).length;
  const box =
    state.onmap && app.map ? boxInSight((point) => app.map?.contains(point) ?? false, app.map.camera()) : null;
  const href = (format: Format): string => listAddress(state, window, mode, format, box);
  const name = (format: Format): string => fileName(mode, "earthquakes", app.now(), FILES[format]);
  const code = embedCode(absolute(listFrame(state, mode, box, app.preferences.language)), text("list.label"), MANY_PX);
  return html`<details class="downloads">
    <summary>${text("downloads")}</summary>
    ${mode === "actual" ? nothing : html`<p class="tag drill">${text(`share.drill.${mode}`)}</p>`}
    ${
      listed.length - others === 0
        ? html`<p class="soft">${text("downloads.nothing")}</p>`
        : html`<p class="buttons">
            ${many().map((format) => html`<a class="button" href=${href(format)} download=${name(format)}>${icon("download")}${text(`format.${format}`)}</a>`)}
          </p>`
    }
    ${state.where === null ? nothing : html`<p class="soft small">${text("downloads.where", { where: state.where })}</p>`}
    ${notes(app, others, listed.length - others, box !== null)}
    ${copied(app, "list", text("downloads.address"), absolute(href("geojson")))}
    <p class="buttons">
      <button type="button" @click=${copying(app, "list", absolute(address(app, {})))}>${icon("copy")}${text("downloads.link")}</button>
      <a class="out" href="fdsnws/event/1/" target="_blank" rel="noopener">${text("downloads.builder")}${icon("link")}</a>
    </p>
    ${feedback("list")} ${embedding(app, "list", code)}
  </details>`;
}

function notes(app: App, others: number, count: number, boxed: boolean): TemplateResult {
  const number = app.format.number;
  const said: string[] = [];
  if (others > 0) said.push(counted("downloads.others", others, { count: number(others) }));
  if (count > MOST_IN_A_FILE) said.push(text("downloads.most", { most: number(MOST_IN_A_FILE) }));
  if (boxed) said.push(text("downloads.box"));
  return said.length > 0 ? html`<p class="soft small">${said.join(" ")}</p>` : html``;
}
