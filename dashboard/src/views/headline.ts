// The one earthquake that matters most now, above everything else: how large, where, when, who is shaken, how sure.

import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { drillOf, type EarthquakeDetail } from "../earthquake.ts";
import type { Format } from "../format.ts";
import type { Told } from "../impact.ts";
import { counted, text, textIfKnown } from "../texts.ts";
import { address, icon, weightOf } from "./parts.ts";

export function headline(app: App): TemplateResult | typeof nothing {
  const { headline: told, format, state } = app;
  if (told === null || state.id === told.id) return nothing;
  const detail = app.headlineDetail;
  const known = app.catalogue.get(told.id) ?? detail;
  const drill = drillOf(told);
  return html`<section class="headline w${weightOf(told.magnitude)}" id="headline" aria-labelledby="headline-what">
    <h2 id="headline-what">
      <span class="hidden">${text("headline")}: </span>
      <span class="size"><span class="hidden">${text("magnitude")}</span><span aria-hidden="true">M</span> ${format.magnitude(told.magnitude)}</span>
      <a href=${address(app, { id: told.id })}>${format.place(told) ?? (known ? format.position(known.location) : "")}</a>
    </h2>
    <p class="facts">
      ${drill === null ? nothing : html`<strong class="tag drill">${text(`mode.${drill}`)}</strong> ${text(drill === "test" ? "headline.test" : "headline.exercise")}`}
      <time datetime=${new Date(told.timestamp).toISOString()}>${timesOf(told, detail, format)}</time>
      <span>${format.ago(told.timestamp, app.now())}</span>
      <span class="people">${shaken(told, format)}</span>
      <span class="sure">${sureness(told, detail)}</span>
    </p>
    ${known ? html`<button type="button" class="fly" @click=${() => fly(app, known)}>${icon("place")}<span>${text("headline.fly")}</span></button>` : nothing}
  </section>`;
}

/** To where it is; on a phone that shows no map now, to the map first. */
function fly(app: App, { location }: Pick<EarthquakeDetail, "location">): void {
  if ((document.querySelector("#map")?.clientWidth ?? 0) === 0) app.set({ view: "map", id: null });
  requestAnimationFrame(() => app.map?.fly(location, 5));
}

/** "Fri 6 Feb, 04:17 local time · 01:17 UTC": by the clocks there, and by everybody's. */
export function timesOf({ timestamp }: Told, detail: EarthquakeDetail | null, format: Format): string {
  const utc = new Date(timestamp).toISOString().slice(11, 16);
  const zone = detail?.timezone;
  if (typeof zone !== "string" || zone === "UTC") return `${format.there(timestamp, "UTC")} UTC`;
  return `${format.there(timestamp, zone)} ${text("headline.local")} · ${utc} UTC`;
}

function shaken({ people }: Told, format: Format): string | typeof nothing {
  if (people === null) return nothing;
  if (people === 0) return text("headline.nobody");
  return counted("headline.people", people, { count: format.number(Number(people.toPrecision(2))) });
}

/** "automatic, revised twice, three agencies" */
export function sureness(
  { status }: Pick<Told, "status">,
  detail: Pick<EarthquakeDetail, "history" | "solutions"> | null,
): string {
  const parts: string[] = [textIfKnown(`status.${status}`) ?? status ?? ""];
  if (detail) {
    const revised = detail.history.filter(({ why }) => / was revised: /.test(why)).length;
    if (revised > 0)
      parts.push(
        revised === 2 ? text("headline.revised.two") : counted("headline.revised", revised, { n: inWords(revised) }),
      );
    const agencies = new Set(detail.solutions.map((one) => one.agency ?? one.source)).size;
    parts.push(counted("headline.agencies", agencies, { n: inWords(agencies) }));
  }
  return parts.filter((part) => part !== "").join(", ");
}

/** Small numbers are words. */
const inWords = (n: number): string => textIfKnown(`number.${n}`) ?? String(n);
