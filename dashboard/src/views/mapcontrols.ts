// What lies on the map: its switches, its legend, a note on what is computed, and the pointer's label.

import { html, nothing, type TemplateResult } from "lit-html";

import type { App } from "../app.ts";
import { DEPTH_CLASSES, isDrill } from "../earthquake.ts";
import { arrowsTo, type Box, isSmall, mattering } from "../map/beyond.ts";
import { openZoom } from "../map/map.ts";
import { distanceKm, KM_PER_DEGREE } from "../sphere.ts";
import { CLUSTERS, COLOURS, PROJECTIONS } from "../state.ts";
import { keepLegend, keptLegend } from "../storage.ts";
import { AGE_STEPS_MS, DEPTH_STEPS_KM, type Glyph, radiusOf, scaleOf, unknownOf } from "../symbols.ts";
import { type Key, text } from "../texts.ts";
import { arrivalS } from "../waves.ts";
import { choice, icon, modeTag, picture, toggle } from "./parts.ts";
import { replayBar } from "./replay.ts";

export interface Pointed {
  id: string;
  x: number;
  y: number;
}

export function mapControls(app: App): TemplateResult {
  return html`
    <div class="zoom">
      <button type="button" @click=${() => app.map?.zoomBy(1)} aria-label=${text("map.in")}>${icon("plus")}</button>
      <button type="button" @click=${() => app.map?.zoomBy(-1)} aria-label=${text("map.out")}>${icon("minus")}</button>
    </div>
    ${options(app)} ${legend(app)} ${waveNote(app)} ${beyond(app)} ${pointed(app)}
    ${app.state.replay === null || (app.state.view === "replay" && app.state.id === null) ? nothing : replayBar(app)}
  `;
}

/** What matters and is off the screen, or behind the globe: a way there. */
function beyond(app: App): TemplateResult | typeof nothing {
  const { map, state, format } = app;
  const stage = document.getElementById("map");
  if (!map || !stage || stage.clientWidth === 0) return nothing;
  const { headline } = app;
  const told = headline ? (app.catalogue.get(headline.id) ?? null) : null;
  const away = mattering(app.listing.shown, app.selected, told).filter((one) => !map.contains(one.location));
  if (away.length === 0) return nothing;
  const { clientWidth, clientHeight } = stage;
  const taken = [...document.querySelectorAll<HTMLElement>(".legend, .wave-note")].map(
    ({ offsetLeft, offsetTop, offsetWidth, offsetHeight }): Box => ({
      left: offsetLeft,
      top: offsetTop,
      right: offsetLeft + offsetWidth,
      bottom: offsetTop + offsetHeight,
    }),
  );
  const arrows = arrowsTo(away, map.camera(), state.projection, clientWidth, clientHeight, taken);
  const small = isSmall(clientWidth, clientHeight);
  return html`${arrows.map((arrow, n) => {
    const one = away[n] as (typeof away)[number];
    const magnitude = format.magnitude(one.magnitude);
    const place = format.place(one) ?? format.position(one.location);
    return html`<button
      type="button"
      class="beyond"
      data-id=${arrow.id}
      .style=${`left: ${arrow.x}px; top: ${arrow.y}px`}
      aria-label=${text("map.beyond", { magnitude, place })}
      title=${text("map.beyond", { magnitude, place })}
      @click=${() => map.fly(one.location, openZoom(one.magnitude))}
    >
      <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path transform=${`rotate(${Math.round(arrow.degrees)} 12 12)`} d="M12 20V5M6 11l6-6 6 6" /></svg>
      ${modeTag(one)} <b>M ${magnitude}</b> ${small ? nothing : html`<span>${place}</span>`}
    </button>`;
  })}`;
}

function legend(app: App): TemplateResult {
  const { state, theme } = app;
  const plain = (change: Partial<Glyph>): Glyph => ({
    shape: "shallow",
    drill: false,
    radius: 7,
    colour: theme === "dark" ? "#c3ced9" : "#5b6874",
    ringed: false,
    ...change,
  });
  const steps = scaleOf(theme, state.colour);
  const labels =
    state.colour === "age"
      ? AGE_STEPS_MS.map((_, n) => text(`legend.age.${n as 0 | 1 | 2 | 3}`))
      : [...depthLabels(app), text("depth.unknown")];
  const legendSteps = state.colour === "age" ? steps : [...steps, unknownOf(theme)];
  return html`<details class="legend" ?open=${legendIsOpen()} @toggle=${(event: Event) => keepLegend((event.target as HTMLDetailsElement).open)}>
    <summary>${text("legend")}</summary>
    <div class="keys">
      ${choice(
        text("legend.colour"),
        COLOURS.map((value) => ({ value, label: text(`colour.${value}`) })),
        state.colour,
        (colour) => app.set({ colour }, false),
      )}
      <ul class="scale">
        ${legendSteps.map((colour, n) => html`<li>${picture(plain({ colour, ringed: state.colour === "age" && n === 0, radius: 6 }))}${labels[n]}</li>`)}
      </ul>
      <ul class="sizes" aria-label=${text("legend.sizes")}>
        ${[2, 4, 6, 8].map((m) => html`<li>${picture(plain({ radius: radiusOf(m) }), 24)}<span>M ${m}</span></li>`)}
      </ul>
      <ul class="scale shapes">
        ${DEPTH_CLASSES.map(
          (shape) => html`<li>${picture(plain({ shape, radius: 6 }))}${text(`legend.${shape}`, shapeBounds(app))}</li>`,
        )}
        <li>${picture(plain({ drill: true, radius: 7 }))}${text("legend.drill")}</li>
        ${state.plates ? html`<li><i class="line plate"></i>${text("legend.plates")}</li>` : nothing}
        ${state.waves ? html`<li><i class="line p"></i>P <i class="line s"></i>S ${text("legend.waves")}</li>` : nothing}
      </ul>
      <p class="credits">${text("credits")}</p>
    </div>
  </details>`;
}

/** As it was left; before that, where there is room for it. */
const legendIsOpen = (): boolean => keptLegend() ?? (innerWidth > 1300 && innerHeight > 700);

function options(app: App): TemplateResult {
  const { state } = app;
  return html`<details class="map-options">
    <summary>${icon("layers")}<span>${text("map.options")}</span></summary>
    <div class="switches">
      ${choice(
        text("map.projection"),
        PROJECTIONS.map((value) => ({ value, label: text(`projection.${value}`) })),
        state.projection,
        (projection) => app.set({ projection }, false),
      )}
      ${toggle(text("legend.plates"), state.plates, (plates) => app.set({ plates }, false))}
      ${toggle(text("legend.waves.toggle"), state.waves, (waves) => app.set({ waves }, false))}
      <label class="select"
        ><span>${text("clusters")}</span>
        <select @change=${(event: Event) => app.set({ clusters: (event.target as HTMLSelectElement).value as "auto" }, false)}>
          ${CLUSTERS.map((value) => html`<option value=${value} ?selected=${value === state.clusters}>${text(`clusters.${value}`)}</option>`)}
        </select></label
      >
    </div>
  </details>`;
}

function depthLabels(app: App): string[] {
  return DEPTH_STEPS_KM.map((most, n) => {
    const least = DEPTH_STEPS_KM[n - 1] ?? 0;
    return Number.isFinite(most)
      ? text("legend.depth.to", { depth: app.format.depth(most) })
      : text("legend.depth.from", { depth: app.format.depth(least) });
  });
}

const shapeBounds = (app: App): { upper: string; lower: string } => ({
  upper: app.format.depth(70),
  lower: app.format.depth(300),
});

/** The nearest class is III, the weakest that people feel. */
const FELT_FROM = 2.5;

/** Waves on their way are computed, and said to be; a countdown only where it is truly ahead and is expected to be felt. */
function waveNote(app: App): TemplateResult | typeof nothing {
  if (!app.state.waves) return nothing;
  const sources = app.waveSources();
  if (sources.length === 0) return nothing;
  const { place, format } = app;
  const ahead = sources.flatMap(({ earthquake, table, elapsedS }) => {
    if (!place || app.state.replay !== null) return [];
    const s = arrivalS(table.distanceDeg, table.sS, distanceKm(place, earthquake.location) / KM_PER_DEGREE);
    if (s === null || s <= elapsedS) return [];
    const intensity = app.shakingHere(earthquake)?.intensity;
    return intensity && intensity.value >= FELT_FROM ? [{ earthquake, inS: s - elapsedS, roman: intensity.roman }] : [];
  });
  const key: Key = app.state.replay === null ? "waves.note" : "waves.replayed";
  return html`<div class="wave-note" id="waves">
    <details ?open=${innerWidth > 900 && innerHeight > 600}>
      <summary>${text(app.state.replay === null ? "waves.brief" : "waves.brief.replayed")}</summary>
      <p>${text(key)}</p>
    </details>
    ${ahead.map(
      ({ earthquake, inS, roman }) =>
        html`<p class=${isDrill(earthquake) ? "ahead" : "ahead real"}>
          ${modeTag(earthquake)}
          ${text("waves.ahead", { roman, span: format.duration(inS * 1000), magnitude: format.magnitude(earthquake.magnitude), place: format.place(earthquake) ?? "" })}
        </p>`,
    )}
  </div>`;
}

function pointed(app: App): TemplateResult | typeof nothing {
  const at = app.pointed;
  const earthquake = at && app.catalogue.get(at.id);
  if (!at || !earthquake) return nothing;
  const { format } = app;
  return html`<div class="tip" .style=${`left: ${at.x}px; top: ${at.y}px`}>
    <b>M ${format.magnitude(earthquake.magnitude)}</b> ${format.place(earthquake) ?? format.position(earthquake.location)}
    <small>${format.when(earthquake.timestamp, app.now())} · ${format.depth(earthquake.location.depth)}</small> ${modeTag(earthquake)}
  </div>`;
}
