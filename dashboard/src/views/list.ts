// The list: everything that the map has, in words. Only the rows in sight are in the page, so 50,000 cost no more than 20.

import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import type { App } from "../app.ts";
import type { Earthquake } from "../earthquake.ts";
import { printMedia } from "../media.ts";
import { reasonOf, wordsOf } from "../nothing.ts";
import { distanceKm } from "../sphere.ts";
import { remPx } from "../symbols.ts";
import { counted, text } from "../texts.ts";
import { filters } from "./filters.ts";
import { address, chip, modeTag, weightOf } from "./parts.ts";
import { downloads } from "./share.ts";

const ROW_REM = 4.875;
const BEYOND = 6;
/** On paper there are all, up to so many: 200 sheets. */
const MOST_PRINTED = 5_000;
/** Whether the page is being printed. */
let printed = false;

/** Draw all rows while the page is printed. */
export function printWhole(app: App): void {
  const set = (on: boolean): void => {
    if (printed === on) return;
    printed = on;
    app.redraw(); // at once: the picture is taken as soon as this returns
  };
  addEventListener("beforeprint", () => set(true));
  addEventListener("afterprint", () => set(false));
  printMedia.addEventListener("change", ({ matches }) => set(matches));
}

/** A row's height, px: letters are larger on a wall. */
const rowPx = (): number => ROW_REM * remPx();

/** Rows in sight; read back from the scrolling element at each drawing. */
let scrolled = { top: 0, height: 800 };

export function listView(app: App): TemplateResult {
  const { listed } = app.listing;
  const height = rowPx();
  const first = printed ? 0 : Math.max(0, Math.floor(scrolled.top / height) - BEYOND);
  const last = printed
    ? Math.min(listed.length, MOST_PRINTED)
    : Math.min(listed.length, Math.ceil((scrolled.top + scrolled.height) / height) + BEYOND);
  const focused = focusedIndex(listed);
  const indices = Array.from({ length: Math.max(0, last - first) }, (_, n) => first + n);
  // The row that has the focus stays in the page wherever one scrolls, or the focus would be lost.
  if (focused !== null && (focused < first || focused >= last)) indices.push(focused);
  const entry = focused ?? Math.min(first === 0 ? 0 : first + BEYOND, listed.length - 1);
  return html`
    <h1 class="hidden" tabindex="-1">${text("list.label")}</h1>
    ${printed ? heading(app, last) : nothing} ${filters(app)} ${downloads(app)}
    <div class="scroll" id="rows" tabindex="-1" @scroll=${(event: Event) => onScroll(app, event)}>
      ${
        listed.length === 0
          ? emptyNote(app)
          : html`<ol
              class=${app.calm ? "rows" : "rows still"}
              aria-label=${text("list.label")}
              .style=${`height: ${listed.length * height}px`}
              @keydown=${(event: KeyboardEvent) => onKey(app, event)}
            >
              ${repeat(
                indices,
                (n) => listed[n]?.id ?? n,
                (n) => row(app, listed[n] as Earthquake, n, n === entry),
              )}
            </ol>`
      }
    </div>
  `;
}

/** What stands above the rows on paper: which these are, and when that was. */
function heading(app: App, rows: number): TemplateResult {
  const { format, listing } = app;
  const cut = listing.listed.length > rows;
  return html`<p class="print-only">
    ${text("print.as-of", { time: `${format.moment(app.now())} ${format.zone(app.now())}` })} ${wordsOf(app.asked, format)}
    ${cut ? text("print.cut", { n: format.number(rows), of: format.number(listing.listed.length) }) : nothing}
  </p>`;
}

function row(app: App, earthquake: Earthquake, index: number, reachable: boolean): TemplateResult {
  const { format } = app;
  const { depth } = earthquake.location;
  const known = depth !== null && depth !== undefined;
  const facts = [
    known ? text("list.deep", { depth: format.depth(depth) }) : format.depth(depth),
    ...(app.place
      ? [text("list.away", { distance: format.distance(distanceKm(app.place, earthquake.location)) })]
      : []),
    ...(earthquake.reports > 1 ? [counted("list.reports", earthquake.reports)] : []),
  ];
  return html`<li
    class="row w${weightOf(earthquake.magnitude)} ${app.motionOf(earthquake.id) ?? ""}"
    aria-setsize=${app.listing.listed.length}
    aria-posinset=${index + 1}
    .style=${`top: ${index * ROW_REM}rem; height: ${ROW_REM}rem`}
  >
    <a
      href=${address(app, { id: earthquake.id })}
      data-id=${earthquake.id}
      data-revision=${earthquake.revision}
      data-index=${index}
      tabindex=${reachable ? 0 : -1}
      aria-current=${earthquake.id === app.state.id ? "true" : nothing}
    >
      ${chip(app, earthquake)}
      <span class="what">
        <span class="place">${format.place(earthquake) ?? format.position(earthquake.location)}</span>
        <span class="facts"
          ><time datetime=${new Date(earthquake.timestamp).toISOString()}
            >${format.when(earthquake.timestamp, app.now())}</time
          ></span
        >
        <span class="facts">${modeTag(earthquake)}<span>${facts.join(" · ")}</span></span>
      </span>
    </a>
  </li>`;
}

function emptyNote(app: App): TemplateResult {
  if (!app.live.loaded) {
    if (app.past.trouble === "refused") return html`<p class="empty">${text("asof.refused")}</p>`;
    const waiting = app.live.connection.state === "resuming" ? "list.no-answer" : "list.loading";
    return html`<p class="empty">${text(waiting)}</p>`;
  }
  const { asked, area, catalogue, state, format } = app;
  if (state.asof !== null && catalogue.size === 0) return html`<p class="empty">${text("asof.none")}</p>`;
  const beyond = state.onmap && app.listing.shown.length > 0;
  const { says, way } = reasonOf(asked, area, catalogue.all(), beyond, app.realNow(), format);
  return html`<div class="empty">
    <p>${says}</p>
    ${way ? html`<button type="button" id="widen" @click=${() => app.set(way.change, false)}>${way.label}</button>` : nothing}
  </div>`;
}

function onScroll(app: App, event: Event): void {
  const { scrollTop, clientHeight } = event.target as HTMLElement;
  scrolled = { top: scrollTop, height: clientHeight };
  app.redraw();
}

function focusedIndex(listed: Earthquake[]): number | null {
  const { activeElement } = document;
  const id = activeElement instanceof HTMLElement ? activeElement.dataset["id"] : undefined;
  if (id === undefined || !activeElement?.closest(".rows")) return null;
  const index = listed.findIndex((one) => one.id === id);
  return index < 0 ? null : index;
}

const STEPS: Record<string, (index: number, page: number, last: number) => number> = {
  ArrowDown: (index) => index + 1,
  ArrowUp: (index) => index - 1,
  PageDown: (index, page) => index + page,
  PageUp: (index, page) => index - page,
  Home: () => 0,
  End: (_index, _page, last) => last,
};

function onKey(app: App, event: KeyboardEvent): void {
  const step = STEPS[event.key];
  const index = focusedIndex(app.listing.listed);
  if (!step || index === null || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  const page = Math.max(1, Math.floor(scrolled.height / rowPx()) - 1);
  focusRow(app, step(index, page, app.listing.listed.length - 1));
}

/** Bring a row into sight and put the focus there. */
export function focusRow(app: App, index: number): void {
  const wanted = Math.max(0, Math.min(app.listing.listed.length - 1, index));
  const rows = document.getElementById("rows");
  if (!rows) return;
  const [top, bottom] = [wanted * rowPx(), (wanted + 1) * rowPx()];
  if (top < rows.scrollTop) rows.scrollTop = top;
  else if (bottom > rows.scrollTop + rows.clientHeight) rows.scrollTop = bottom - rows.clientHeight;
  scrolled = { top: rows.scrollTop, height: rows.clientHeight };
  app.redraw();
  rows.querySelector<HTMLElement>(`[data-index="${wanted}"]`)?.focus({ preventScroll: true });
}

/** Draw anew when the list's window has another size than before; to ask for it at each drawing would make the browser
 * put all in its place each time. Call it after drawings: the window may be another element than before. */
export function watchList(app: App): void {
  const rows = document.getElementById("rows");
  if (rows === watched.rows) return;
  watched.observer?.disconnect();
  watched.rows = rows;
  if (rows === null) return;
  watched.observer ??= new ResizeObserver(() => {
    const { rows: now } = watched;
    if (!now || (now.clientHeight === scrolled.height && now.scrollTop === scrolled.top)) return;
    scrolled = { top: now.scrollTop, height: now.clientHeight };
    app.redraw();
  });
  watched.observer.observe(rows);
}
const watched: { rows: HTMLElement | null; observer?: ResizeObserver } = { rows: null };
