// Small pieces that several views are made of.

import { html, nothing, type SVGTemplateResult, svg, type TemplateResult } from "lit-html";
import { ref } from "lit-html/directives/ref.js";
import type { App } from "../app.ts";
import { drillOf, type Earthquake, type EarthquakeEvent, isDrill } from "../earthquake.ts";
import { type State, writeQuery } from "../state.ts";
import { draw, type Glyph, reach, symbolOf, symbolScale } from "../symbols.ts";
import { text } from "../texts.ts";

/** The address that shows something else: links are real, so that they open in another tab too. */
export function address(app: App, change: Partial<State>): string {
  return writeQuery({ ...app.state, ...change }, app.preferences, app.defaults) || "./";
}

/** A symbol as on the map, at most `most` px in radius. */
export function picture(symbol: Glyph, most = 15): TemplateResult {
  const small = { ...symbol, radius: Math.min(symbol.radius, most) };
  const paint = (element: Element | undefined): void => {
    if (!(element instanceof HTMLCanvasElement)) return;
    const scale = Math.max(2, window.devicePixelRatio) * symbolScale();
    const side = 2 * reach(small);
    element.width = element.height = side * scale;
    element.style.width = element.style.height = `${side / 16}rem`;
    const context = element.getContext("2d");
    if (!context) return;
    context.scale(scale, scale);
    draw(context, small, side / 2, side / 2);
  };
  return html`<canvas class="symbol" aria-hidden="true" ${ref(paint)}></canvas>`;
}

/** From these magnitudes on a chip weighs more: 0 is quiet, 4 is seen from afar. */
const WEIGHTS = [2.5, 4.5, 6, 7] as const;
export const weightOf = (magnitude: number | null): number =>
  WEIGHTS.filter((least) => (magnitude ?? 0) >= least).length;

/** The magnitude: weight and size by itself, colour by age or depth; an outline alone for what is not real. */
export function chip(app: App, earthquake: Earthquake): TemplateResult {
  const { colour } = symbolOf(earthquake, app.now(), app.state.colour, app.theme);
  const { magnitude } = earthquake;
  return html`<span class="chip w${weightOf(magnitude)} ${isDrill(earthquake) ? "unreal" : ""}" .style=${`--hue: ${colour}`}
    ><span class="hidden">${text("magnitude")} </span><b>${app.format.magnitude(magnitude)}</b></span
  >`;
}

/** EXERCISE or TEST; nothing for what is real. */
export function modeTag(event: Pick<EarthquakeEvent, "mode">): TemplateResult | typeof nothing {
  const drill = drillOf(event);
  return drill === null ? nothing : html`<span class="tag drill">${text(`mode.${drill}`)}</span>`;
}

/** Buttons of which one is chosen. */
export function choice<T extends string>(
  label: string,
  options: readonly { value: T; label: string; hint?: string; disabled?: boolean }[],
  chosen: T | null,
  choose: (value: T) => void,
): TemplateResult {
  return html`<div class="choice" role="group" aria-label=${label}>
    ${options.map(
      (option) => html`<button
        type="button"
        aria-pressed=${option.value === chosen}
        title=${option.hint ?? nothing}
        ?disabled=${option.disabled ?? false}
        @click=${() => choose(option.value)}
      >${option.label}</button>`,
    )}
  </div>`;
}

export function toggle(label: string, on: boolean, flip: (on: boolean) => void): TemplateResult {
  const changed = (event: Event): void => flip((event.target as HTMLInputElement).checked);
  return html`<label class="toggle"><input type="checkbox" .checked=${on} @change=${changed} /><span>${label}</span></label>`;
}

const ICONS = {
  pause: svg`<path d="M8 5v14M16 5v14" />`,
  play: svg`<path d="M7 5l12 7-12 7z" />`,
  settings: svg`<path d="M4 7h10M18 7h2M4 17h2M10 17h10" /><circle cx="16" cy="7" r="2" /><circle cx="8" cy="17" r="2" />`,
  close: svg`<path d="M6 6l12 12M18 6L6 18" />`,
  plus: svg`<path d="M12 6v12M6 12h12" />`,
  minus: svg`<path d="M6 12h12" />`,
  globe: svg`<circle cx="12" cy="12" r="8" /><path d="M4 12h16M12 4c3 2.3 3 13.7 0 16M12 4c-3 2.3-3 13.7 0 16" />`,
  flat: svg`<rect x="3.5" y="6.5" width="17" height="11" rx="1" /><path d="M3.5 12h17M9 6.5v11M15 6.5v11" />`,
  layers: svg`<path d="M12 4l9 5-9 5-9-5zM3.5 14l8.5 4.7 8.5-4.7" />`,
  map: svg`<path d="M9 5L3.5 7v12L9 17l6 2 5.5-2V5L15 7zM9 5v12M15 7v12" />`,
  list: svg`<path d="M8 7h12M8 12h12M8 17h12M4 7h.1M4 12h.1M4 17h.1" />`,
  charts: svg`<path d="M4 20h16M7 16v-4M12 16V6M17 16V9" />`,
  alerts: svg`<path d="M6 16V11a6 6 0 0112 0v5l1.500 2h-15zM10 20.500a2.200 2.200 0 004 0" />`,
  status: svg`<path d="M3 12h4l3-7 4 14 3-7h4" />`,
  replay: svg`<path d="M4 12a8 8 0 108-8c-2.700 0-5 1.300-6.500 3.300M5 4v4h4M12 8v4.500l3 1.800" />`,
  share: svg`<path d="M12 15V4M8 7.500L12 4l4 3.500M6 12H5v8h14v-8h-1" />`,
  download: svg`<path d="M12 4v11M8 11.500l4 3.500 4-3.500M5 20h14" />`,
  copy: svg`<rect x="8.500" y="8.500" width="11" height="11" rx="1.500" /><path d="M15.500 8.500v-4h-11v11h4" />`,
  back: svg`<path d="M14 6l-6 6 6 6" />`,
  link: svg`<path d="M10 6H6v12h12v-4M13 5h6v6M19 5l-8 8" />`,
  home: svg`<path d="M4 11l8-7 8 7M6 9.500V20h12V9.500" />`,
  people: svg`<circle cx="9" cy="8" r="3" /><path d="M3.5 19c0-3.500 2.500-5.500 5.500-5.500s5.500 2 5.500 5.500M15.500 5.500a3 3 0 010 5M17 14c2.200.7 3.500 2.500 3.500 5" />`,
  place: svg`<path d="M12 21s-6-5.7-6-10.5a6 6 0 0112 0C18 15.300 12 21 12 21z" /><circle cx="12" cy="10.500" r="2" />`,
} satisfies Record<string, SVGTemplateResult>;

export function icon(name: keyof typeof ICONS): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${ICONS[name]}</svg>`;
}
