// Who is shaken by an earthquake: people in cities by expected intensity; and the ShakeMap, where there is one.

import { html, nothing, type TemplateResult } from "lit-html";
import type { Exposure } from "../api.ts";
import type { App } from "../app.ts";
import type { EarthquakeDetail } from "../earthquake.ts";
import { counted, text, textIfKnown } from "../texts.ts";
import { icon } from "./parts.ts";

const MOST_CITIES = 8;

/** People by class of expected intensity; said to be an estimate, with where it comes from. */
export function exposureView(app: App, detail: EarthquakeDetail): TemplateResult {
  const { exposure } = app.inspector;
  const map = shakeMap(detail);
  return html`<section id="exposure">
    <h2>${icon("people")} ${text("exposure")} <small>${text("exposure.estimate")}</small></h2>
    ${
      map === null
        ? nothing
        : html`<p class="measured">
            <a class="out" href=${map} target="_blank" rel="noopener noreferrer">${text("exposure.shakemap")}${icon("link")}</a>
            <small>${text("exposure.shakemap.what")}</small>
          </p>`
    }
    ${exposure ? people(app, exposure) : html`<p class="soft">${text("list.loading")}</p>`}
  </section>`;
}

function people(app: App, exposure: Exposure): TemplateResult {
  const { format } = app;
  if (exposure.priority === null) return html`<p class="soft">${text("exposure.none")}</p>`;
  if (exposure.classes.length === 0) return html`<p class="soft">${text("exposure.nobody")}</p>`;
  return html`<table class="exposure">
      <thead>
        <tr>
          <th scope="col">${text("exposure.class")}</th>
          <th scope="col" class="number">${text("exposure.people")}</th>
          <th scope="col" class="number">${text("exposure.cities")}</th>
        </tr>
      </thead>
      <tbody>
        ${exposure.classes.map(
          (one) => html`<tr>
            <th scope="row"><i class="swatch m${one.class}"></i><b>${one.roman}</b> ${textIfKnown(`mmi.${one.roman}`) ?? ""}</th>
            <td class="number">${format.number(Number(one.people.toPrecision(2)))}</td>
            <td class="number">${format.number(one.cities)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
    <ul class="cities">
      ${exposure.cities.slice(0, MOST_CITIES).map(
        (one) => html`<li>
          <b class="roman">${one.roman}</b>
          <span
            >${one.name}, ${one.within}
            <small>${counted("exposure.inhabitants", one.population, { count: format.number(one.population) })} · ${text("exposure.away", { distance: format.distance(one.distanceKm) })} · ${text("here.range", { low: format.number(one.low, 1), high: format.number(one.high, 1) })}</small></span
          >
        </li>`,
      )}
    </ul>
    <p class="soft small">
      ${text("exposure.priority", { priority: format.number(exposure.priority, 1) })} ${text("exposure.source")}
      ${exposure.cities.some((one) => one.extrapolated) ? text("here.extrapolated") : nothing}
    </p>`;
}

/** The page of USGS's ShakeMap; null where the preferred event names none. A measurement goes before any estimate. */
export function shakeMap(event: { source: string; mmi?: unknown; url?: string | null }): string | null {
  if (event.source !== "usgs" || typeof event.mmi !== "number" || !event.url) return null;
  const [page] = /^https:\/\/[^?#\s]+/.exec(event.url) ?? [];
  return page === undefined ? null : `${page.replace(/\/+$/, "")}/shakemap`;
}
