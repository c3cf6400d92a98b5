// Who is shaken by an earthquake: people in cities by expected intensity; and the ShakeMap, where there is one.

import { html, nothing, type TemplateResult } from "lit-html";
import type { Exposure } from "../api.ts";
import type { App } from "../app.ts";
import type { EarthquakeDetail } from "../earthquake.ts";
import { cityKey } from "../shaken.ts";
import { counted, text, textIfKnown } from "../texts.ts";
import { icon } from "./parts.ts";

const MOST_CITIES = 8;
const MOST_COUNTRIES = 3;
const CITY_ZOOM = 7;

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

export function people(app: App, exposure: Exposure): TemplateResult {
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
          (
            one,
          ) => html`<tr tabindex="0" data-class=${one.class} @pointerenter=${() => app.mark({ ring: one.class })} @pointerleave=${() => app.mark(null)}
            @focusin=${() => app.mark({ ring: one.class })} @focusout=${() => app.mark(null)}>
            <th scope="row"><i class="swatch m${one.class}"></i><b>${one.roman}</b> ${textIfKnown(`mmi.${one.roman}`) ?? ""}</th>
            <td class="number">${format.number(Number(one.people.toPrecision(2)))}</td>
            <td class="number">${format.number(one.cities)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
    <ul class="cities">
      ${exposure.cities.slice(0, MOST_CITIES).map(
        (one) => html`<li
            @pointerenter=${() => app.mark({ city: cityKey(one) })} @pointerleave=${() => app.mark(null)}
            @focusin=${() => app.mark({ city: cityKey(one) })} @focusout=${() => app.mark(null)}>
          <b class="roman">${one.roman}</b>
          <span
            ><button type="button" class="place" title=${text("exposure.show", { city: one.name })} @click=${() => app.map?.fly(one, CITY_ZOOM)}>${one.name}, ${one.within}</button>
            <small>${counted("exposure.inhabitants", one.population, { count: format.number(one.population) })} · ${text("exposure.away", { distance: format.distance(one.distanceKm) })} · ${text("here.range", { low: format.number(one.low, 1), high: format.number(one.high, 1) })}</small></span
          >
        </li>`,
      )}
    </ul>
    <p class="soft small">${text("shaking.hint")}</p>
    <p class="soft small">
      ${exposure.coverage ? covered(exposure.coverage, app.preferences.language) : nothing}
      ${text("exposure.priority", { priority: format.number(exposure.priority, 1) })} ${text("exposure.source")}
      ${exposure.cities.some((one) => one.extrapolated) ? text("here.extrapolated") : nothing}
    </p>`;
}

/** How many of all people the places stand for: "98 % (Japan)"; of several countries the nearest, each with its own. */
export function covered({ share, countries }: NonNullable<Exposure["coverage"]>, language: string): string {
  const locale = language === "de" ? "de-DE" : "en-GB";
  const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
  const names = new Intl.DisplayNames(locale, { type: "region", fallback: "none" });
  const told = countries.slice(0, MOST_COUNTRIES).map((one) => {
    const name = names.of(one.code) ?? one.name;
    return countries.length === 1 ? name : `${name} ${percent.format(one.share)}`;
  });
  if (countries.length > MOST_COUNTRIES) told.push("…");
  return text("exposure.coverage", { share: percent.format(share), countries: told.join(", ") });
}

/** The page of USGS's ShakeMap; null where the preferred event names none. A measurement goes before any estimate. */
export function shakeMap(event: { source: string; mmi?: unknown; url?: string | null }): string | null {
  if (event.source !== "usgs" || typeof event.mmi !== "number" || !event.url) return null;
  const [page] = /^https:\/\/[^?#\s]+/.exec(event.url) ?? [];
  return page === undefined ? null : `${page.replace(/\/+$/, "")}/shakemap`;
}
