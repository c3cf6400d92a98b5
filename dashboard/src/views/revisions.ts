// How an earthquake's magnitude and place were revised: two small charts over the time since the shock, each report's
// agency by colour and shape.

import { html, nothing, type SVGTemplateResult, svg, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { agencyName, type EarthquakeDetail } from "../earthquake.ts";
import { distanceKm } from "../sphere.ts";
import { text } from "../texts.ts";

const WIDTH = 400;
const LANE = 84;
const LEFT = 40;
const RIGHT = 10;
const LABEL = 44;
const MINUTE_MS = 60_000;
const TICKS_MIN = [1, 10, 60, 600, 1440, 10_080, 43_200] as const;

interface Dot {
  agency: string;
  /** Since the shock, when the agency said so. */
  afterMs: number;
  magnitude: number | null;
  /** From where the earthquake is placed now. */
  apartKm: number;
}

export function revisionChart(app: App, detail: EarthquakeDetail): TemplateResult | typeof nothing {
  const dots: Dot[] = detail.history.flatMap(({ event, time }) =>
    event
      ? [
          {
            agency: agencyName(event),
            afterMs: Math.max(MINUTE_MS, (event.updated ?? time) - event.timestamp),
            magnitude: event.magnitude,
            apartKm: distanceKm(event.location, detail.location),
          },
        ]
      : [],
  );
  if (dots.length < 2) return nothing;
  dots.sort((a, b) => a.afterMs - b.afterMs);
  const names = [...new Set(dots.map((dot) => dot.agency))];
  const logs = dots.map((dot) => Math.log10(dot.afterMs / MINUTE_MS));
  const [from, to] = [Math.min(...logs) - 0.1, Math.max(...logs) + 0.1];
  const x = (afterMs: number): number =>
    LEFT + ((Math.log10(afterMs / MINUTE_MS) - from) / (to - from)) * (WIDTH - LEFT - RIGHT);
  const { format } = app;
  const magnitudes = dots.flatMap((dot) => (dot.magnitude === null ? [] : [dot.magnitude]));
  const inside = TICKS_MIN.filter((minutes) => Math.log10(minutes) >= from && Math.log10(minutes) <= to);
  const room = (a: number, b: number): boolean => x(b * MINUTE_MS) - x(a * MINUTE_MS) > LABEL;
  const ticks = inside.filter((minutes, n) => n === 0 || room(inside[n - 1] as number, minutes));
  const lanes = [
    {
      label: text("history.magnitude"),
      value: (dot: Dot) => dot.magnitude,
      low: Math.min(...magnitudes) - 0.2,
      high: Math.max(...magnitudes) + 0.2,
      digits: 1,
    },
    {
      label: text("history.apart", { unit: format.unit }),
      value: (dot: Dot) => format.inUnit(dot.apartKm),
      low: 0,
      high: format.inUnit(Math.max(5, ...dots.map((dot) => dot.apartKm)) * 1.1),
      digits: 0,
    },
  ];
  const shortest = format.duration(dots[0]?.afterMs ?? 0);
  const summary = text("history.summary", { n: dots.length, agencies: names.join(", "), first: shortest });
  return html`<svg class="revisions" viewBox="0 0 ${WIDTH} ${lanes.length * (LANE + 22) + 18}" role="img" aria-label=${summary}>
      ${lanes.map((lane, n) => {
        const top = n * (LANE + 22) + 16;
        const y = (value: number): number => top + LANE - ((value - lane.low) / (lane.high - lane.low || 1)) * LANE;
        return svg`
          <text x=${LEFT} y=${top - 5} class="title">${lane.label}</text>
          <line x1=${LEFT} x2=${WIDTH - RIGHT} y1=${top + LANE} y2=${top + LANE} class="axis" />
          ${[lane.low, lane.high].map((value) => svg`<text x=${LEFT - 5} y=${y(value) + 4} class="tick end">${format.number(value, lane.digits)}</text>`)}
          ${ticks.map((minutes) => svg`<line x1=${x(minutes * MINUTE_MS)} x2=${x(minutes * MINUTE_MS)} y1=${top} y2=${top + LANE} class="grid" />`)}
          ${names.map((name, series) => {
            const own = dots.filter((dot) => dot.agency === name && lane.value(dot) !== null);
            const points = own.map((dot) => [x(dot.afterMs), y(lane.value(dot) as number)] as const);
            const line = points
              .map(([px, py], at) => `${at === 0 ? "M" : `H${px}V`}${at === 0 ? `${px},${py}` : py}`)
              .join("");
            return svg`<path d=${line || "M0,0"} class="series s${series % 5}" />${points.map(([px, py]) => mark(series, px, py))}`;
          })}`;
      })}
      ${ticks.map((minutes) => svg`<text x=${x(minutes * MINUTE_MS)} y=${lanes.length * (LANE + 22) + 12} class="tick middle">${format.duration(minutes * MINUTE_MS)}</text>`)}
    </svg>
    <ul class="series-names">
      ${names.map((name, series) => html`<li><svg viewBox="0 0 12 12" aria-hidden="true">${mark(series, 6, 6)}</svg>${name}</li>`)}
    </ul>`;
}

function mark(series: number, x: number, y: number): SVGTemplateResult {
  const shapes = [
    svg`<circle cx=${x} cy=${y} r="3.800" />`,
    svg`<rect x=${x - 3.5} y=${y - 3.5} width="7" height="7" />`,
    svg`<path d="M${x},${y - 4.5}l4.500,8h-9z" />`,
    svg`<path d="M${x},${y - 5}l5,5l-5,5l-5,-5z" />`,
    svg`<path d="M${x - 4},${y - 4}l8,8m0,-8l-8,8" />`,
  ];
  return svg`<g class="mark s${series % 5}">${shapes[series % 5]}</g>`;
}
