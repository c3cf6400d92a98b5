// Charts of what the list has. Brushing one sets a filter, and so changes all the rest.

import "uplot/dist/uPlot.min.css";
import { html, nothing, type TemplateResult } from "lit-html";
import { ref } from "lit-html/directives/ref.js";
import uPlot, { type AlignedData, type Axis, type Options, type Series } from "uplot";
import type { App } from "../app.ts";
import { type Drill, drillOf, type Earthquake, isDrill } from "../earthquake.ts";
import { save } from "../handing.ts";
import { PALETTES } from "../map/map.ts";
import { csvOf, fileName } from "../share.ts";
import { KM_PER_MILE, wrapped } from "../sphere.ts";
import type { State } from "../state.ts";
import { binWidthMs, cumulativeByMagnitude, gutenbergRichter, ratePerBin } from "../statistics.ts";
import { counted, text } from "../texts.ts";
import { saveChart } from "./chartpicture.ts";
import { filters } from "./filters.ts";
import { icon } from "./parts.ts";
import { downloads } from "./share.ts";

interface Chart {
  name: "rate" | "cumulative" | "magnitudes" | "section";
  data: AlignedData;
  /** What the options were made from: another key is another plot. */
  key: string;
  options: Omit<Options, "width" | "height">;
  /** What the chart says, in a sentence. */
  caption: string;
  /** The same as numbers. */
  table: { head: string[]; rows: (string | number)[][] };
  /** The same for programs: whole, times in UTC, decimal points. */
  numbers: { head: string[]; rows: (string | number)[][] };
}

const HEIGHT_PX = 210;
const NEAR_PX = 14;
const CHARACTER_PX = 7;
const MOST_ROWS = 200;

export function chartsView(app: App): TemplateResult {
  // Modes never mix: a drill is no part of a statistic of what is real.
  const real = app.listing.listed.filter((one) => !isDrill(one));
  const counts = real.length > 0 ? real : app.listing.listed;
  const left = app.listing.listed.length - counts.length;
  return html`
    ${filters(app, false)} ${downloads(app)}
    <div class="scroll page charts" tabindex="-1" id="rows">
      <h1 class="hidden" tabindex="-1">${text("view.charts")}</h1>
      ${left > 0 ? html`<p class="note">${counted("charts.left-out", left)}</p>` : nothing}
      ${
        counts.length === 0
          ? html`<p class="empty">${text(app.live.loaded ? "charts.none" : "list.loading")}</p>`
          : charts(app, counts).map((chart) => figure(app, chart, drillsOf(counts)))
      }
    </div>
  `;
}

/** The modes of what is counted, where it is not real. */
const drillsOf = (counts: readonly Earthquake[]): Drill[] =>
  [...new Set(counts.map(drillOf))].filter((one) => one !== null);

function figure(app: App, chart: Chart, drills: Drill[]): TemplateResult {
  const mode = drills[0] ?? "actual";
  const named = (ending: string): string => fileName(mode, chart.name, app.now(), ending);
  const csv = (): void => {
    const { head, rows } = chart.numbers;
    const marked = mode === "actual" ? rows : rows.map((row) => [...row, mode.toUpperCase()]);
    const whole = csvOf(mode === "actual" ? head : [...head, "mode"], marked);
    save(new Blob([whole], { type: "text/csv" }), named("csv"));
  };
  const words = {
    title: text(`charts.${chart.name}`),
    caption: chart.caption,
    drill: drills.map((drill) => text(`mode.${drill}`)).join(" · "),
  };
  const png = async (): Promise<void> => {
    const canvas = plots.get(chart.name)?.plot.ctx.canvas;
    if (canvas) save(await saveChart(canvas, words), named("png"));
  };
  return html`<figure>
    <figcaption>
      <h2>${text(`charts.${chart.name}`)}</h2>
      <p>${chart.caption}</p>
    </figcaption>
    <div class="plot" role="img" aria-label="${text(`charts.${chart.name}`)}: ${chart.caption}" ${ref((element) => plot(app, chart, element))}></div>
    <p class="buttons">
      <button type="button" @click=${() => void png()}>${icon("download")}PNG<span class="hidden"> ${words.title}</span></button>
      <button type="button" @click=${csv}>${icon("download")}CSV<span class="hidden"> ${words.title}</span></button>
    </p>
    <details>
      <summary>${text("charts.table")}</summary>
      <div class="wide" tabindex="0" role="group" aria-label=${text("charts.table")}>
        <table>
          <thead>
            <tr>
              ${chart.table.head.map((name) => html`<th scope="col">${name}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${chart.table.rows.slice(0, MOST_ROWS).map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}
          </tbody>
        </table>
      </div>
    </details>
  </figure>`;
}

const iso = (ms: number): string => new Date(ms).toISOString();

/** The plots that are on the page, with what they were made from: made anew only when that has changed. */
const plots = new Map<string, { plot: uPlot; element: Element; look: string; data: AlignedData }>();

function plot(app: App, chart: Chart, element: Element | undefined): void {
  if (!(element instanceof HTMLElement)) return;
  // lit sets the reference while it draws: sizes are known afterwards.
  queueMicrotask(() => {
    const width = element.clientWidth;
    if (width === 0) return;
    const look = `${app.theme}|${app.preferences.language}|${app.preferences.zone}|${app.preferences.units}|${width}|${chart.key}`;
    const known = plots.get(chart.name);
    if (known && known.element === element && known.look === look) {
      if (JSON.stringify(known.data) !== JSON.stringify(chart.data)) {
        Object.assign(known.plot.hooks, chart.options.hooks); // they read off what they were made with
        known.plot.setData(chart.data);
        known.data = chart.data;
      }
      return;
    }
    known?.plot.destroy();
    const made = new uPlot({ ...chart.options, width, height: HEIGHT_PX }, chart.data, element);
    plots.set(chart.name, { plot: made, element, look, data: chart.data });
  });
}

function charts(app: App, list: Earthquake[]): Chart[] {
  return [rate(app, list), cumulative(app, list), magnitudes(app, list), section(app, list)];
}

function span(app: App, list: Earthquake[]): { from: number; to: number } {
  const { startMs, endMs } = app.window;
  const times = list.map((one) => one.timestamp);
  const from = Number.isFinite(startMs) ? startMs : times.reduce((a, b) => Math.min(a, b));
  const to = Number.isFinite(endMs)
    ? endMs
    : Math.max(
        app.now(),
        times.reduce((a, b) => Math.max(a, b)),
      );
  // In steps of the span, so that a window that moves on with the clock does not make new plots all the time, which would
  // take a brush out of somebody's hand: a power of two, since a window that grows would have other steps each second.
  const step = 2 ** Math.floor(Math.log2(Math.max(1, (to - from) / 500)));
  return { from: Math.floor(from / step) * step, to: Math.ceil(to / step) * step };
}

function rate(app: App, list: Earthquake[]): Chart {
  const { from, to } = span(app, list);
  const width = binWidthMs(to - from);
  const { start, count } = ratePerBin(
    list.map((one) => one.timestamp),
    from,
    to,
    width,
  );
  const most = count.reduce((a, b) => Math.max(a, b));
  const { format } = app;
  return {
    name: "rate",
    key: `${from}|${to}`,
    data: [start.map((ms) => (ms + width / 2) / 1000), count],
    options: {
      ...common(
        [timeAxis(app), countAxis(app)],
        (u) => brush(app, u, "x", ["starttime", "endtime"], 1000),
        (_, n) => {
          const ms = start[n];
          if (ms === undefined) return "";
          const values = { from: format.minute(ms), until: format.minute(ms + width), n: format.number(count[n] ?? 0) };
          return text("charts.read.bin", values);
        },
      ),
      series: [{}, { ...bars(app), paths: uPlot.paths.bars?.({ size: [0.8, 60] }) } as Series],
      scales: {
        x: { time: true, range: [from / 1000, to / 1000] },
        y: { range: (_, __, max) => [0, Math.max(1, max * 1.05)] },
      },
    },
    caption: text("charts.rate.says", { step: format.duration(width), most, total: format.number(list.length) }),
    table: {
      head: [text("charts.from"), text("charts.count")],
      rows: start
        .map((ms, n) => [format.moment(ms), count[n] as number] as (string | number)[])
        .filter(([, n]) => n !== 0),
    },
    numbers: {
      head: ["from", "until", "count"],
      rows: start.map((ms, n) => [iso(ms), iso(ms + width), count[n] ?? 0]),
    },
  };
}

function cumulative(app: App, list: Earthquake[]): Chart {
  const { from, to } = span(app, list);
  const times = list.map((one) => one.timestamp).sort((a, b) => a - b);
  // A point a pixel is enough, whatever the number.
  const stride = Math.max(1, Math.floor(times.length / 800));
  const kept = times.flatMap((ms, n) =>
    n % stride === 0 || n === times.length - 1 ? [[ms / 1000, n + 1] as const] : [],
  );
  const { format } = app;
  return {
    name: "cumulative",
    key: `${from}|${to}`,
    data: [kept.map(([x]) => x), kept.map(([, y]) => y)],
    options: {
      ...common(
        [timeAxis(app), countAxis(app)],
        (u) => brush(app, u, "x", ["starttime", "endtime"], 1000),
        (_, n) => {
          const [s, total] = kept[n] ?? [];
          if (s === undefined || total === undefined) return "";
          return text("charts.read.until", { moment: format.minute(s * 1000), n: format.number(total) });
        },
      ),
      series: [{}, { ...line(app), paths: uPlot.paths.stepped?.({ align: 1 }) } as Series],
      scales: {
        x: { time: true, range: [from / 1000, to / 1000] },
        y: { range: (_, __, max) => [0, Math.max(1, max * 1.05)] },
      },
    },
    caption: text("charts.cumulative.says", {
      total: format.number(list.length),
      from: format.moment(times[0] ?? from),
      to: format.moment(times.at(-1) ?? to),
    }),
    table: {
      head: [text("charts.until"), text("charts.count")],
      rows: kept
        .filter((_, n) => n % Math.max(1, Math.floor(kept.length / 40)) === 0)
        .map(([s, n]) => [format.moment(s * 1000), n]),
    },
    numbers: { head: ["time", "count"], rows: times.map((ms, n) => [iso(ms), n + 1]) },
  };
}

function magnitudes(app: App, list: Earthquake[]): Chart {
  const known = list.flatMap((one) => (one.magnitude === null ? [] : [one.magnitude]));
  const { magnitude, count, atLeast } = cumulativeByMagnitude(known);
  const found = gutenbergRichter(known);
  const fit = typeof found === "string" ? null : found;
  const line10 = magnitude.map((m) => (fit && m >= fit.completeness - 1e-9 ? 10 ** (fit.a - fit.b * m) : null));
  const { format } = app;
  const palette = PALETTES[app.theme];
  const dot = (colour: string, size: number): Series => ({
    stroke: colour,
    fill: colour,
    paths: () => null,
    points: { show: true, size, stroke: colour, fill: colour },
  });
  return {
    name: "magnitudes",
    key: "",
    data: [magnitude, count.map((n) => n || null), atLeast, line10],
    options: {
      ...common(
        [
          axis(app, (value) => format.number(value, 1)),
          { ...countAxis(app), splits: () => [1, 10, 100, 1_000, 10_000, 100_000] },
        ],
        (u) => brush(app, u, "x", ["minmagnitude", "maxmagnitude"], 0, 1),
        (_, n) => {
          const m = magnitude[n];
          if (m === undefined) return "";
          const [n1, more] = [format.number(count[n] ?? 0), format.number(atLeast[n] ?? 0)];
          return text("charts.read.magnitude", { magnitude: format.number(m, 1), n: n1, more });
        },
      ),
      series: [
        {},
        { ...dot(palette.coast, 5), points: { show: true, size: 5, stroke: palette.coast, fill: "transparent" } },
        dot(palette.accent, 5),
        { stroke: dotted(app), width: 2, points: { show: false } },
      ],
      scales: {
        x: { time: false, range: (_, min, max) => [min - 0.15, max + 0.15] },
        y: { distr: 3, range: (_, __, max) => [0.7, Math.max(10, 10 ** Math.ceil(Math.log10(max)))] },
      },
    },
    caption: `${text("charts.magnitudes.says")} ${says(app, found)}`,
    table: {
      head: [text("magnitude"), text("charts.count"), text("charts.at-least")],
      rows: magnitude.map((m, n) => [format.number(m, 1), count[n] as number, atLeast[n] as number]),
    },
    numbers: {
      head: ["magnitude", "count", "count_this_or_larger"],
      rows: magnitude.map((m, n) => [m.toFixed(1), count[n] as number, atLeast[n] as number]),
    },
  };
}

function says(app: App, fit: ReturnType<typeof gutenbergRichter>): string {
  if (fit === "few") return text("charts.no-fit");
  if (fit === "mixed") return text("charts.fit.mixed");
  const { format } = app;
  const values = {
    b: format.number(fit.b, 2),
    error: format.number(fit.error, 2),
    completeness: format.number(fit.completeness, 1),
    n: format.number(fit.n),
  };
  return text("charts.fit", values);
}

function section(app: App, list: Earthquake[]): Chart {
  const known = list.filter((one) => typeof one.location.depth === "number");
  // Around the middle of the map, so that no row of earthquakes is torn apart at 180°.
  const middle = Math.round(app.map?.camera().longitude ?? 0);
  const points = known
    .map((one) => [wrapped(one.location.longitude - middle), one.location.depth as number, one] as const)
    .sort((a, b) => a[0] - b[0]);
  const { format } = app;
  const palette = PALETTES[app.theme];
  const deepest = points.reduce((most, [, depth]) => Math.max(most, depth), 0);
  const degrees = (value: number): string => {
    const longitude = wrapped(value + middle);
    return `${format.number(Math.abs(longitude), 0)}° ${longitude < 0 ? text("compass.west") : text("compass.east")}`;
  };
  return {
    name: "section",
    key: String(middle),
    data: [points.map(([x]) => x), points.map(([, y]) => y)],
    options: {
      ...common(
        [
          axis(app, degrees),
          axis(app, (value) => format.number(app.preferences.units === "mi" ? value / KM_PER_MILE : value)),
        ],
        (u) => brush(app, u, "y", ["mindepth", "maxdepth"], 0, 0),
        (u) => {
          const [left, top] = [u.cursor.left ?? -1, u.cursor.top ?? -1];
          const near = nearest(u, points, left, top);
          if (near === null)
            return `${degrees(u.posToVal(left, "x"))} · ${format.depth(Math.round(u.posToVal(top, "y")))}`;
          const { magnitude, location } = near;
          const where = app.format.place(near) ?? format.position(location);
          return `M ${format.magnitude(magnitude)} · ${where} · ${format.depth(location.depth)}`;
        },
        "y",
      ),
      series: [
        {},
        {
          stroke: palette.accent,
          paths: () => null,
          points: { show: true, size: 4, width: 1, stroke: palette.accent, fill: "transparent" },
        },
      ],
      scales: {
        x: {
          time: false,
          range: (_, min, max) =>
            min === max ? [min - 1, max + 1] : [min - (max - min) * 0.03, max + (max - min) * 0.03],
        },
        y: { dir: -1, range: (_, min, max) => [Math.min(0, min), Math.max(20, max * 1.05)] },
      },
    },
    caption: text("charts.section.says", { deepest: format.depth(deepest), unit: app.preferences.units }),
    table: {
      head: [text("legend.colour"), text("charts.count")],
      rows: [
        [
          text("legend.shallow", { upper: format.depth(70) }),
          known.filter((one) => (one.location.depth as number) < 70).length,
        ],
        [
          text("legend.intermediate"),
          known.filter((one) => (one.location.depth as number) >= 70 && (one.location.depth as number) < 300).length,
        ],
        [
          text("legend.deep", { lower: format.depth(300) }),
          known.filter((one) => (one.location.depth as number) >= 300).length,
        ],
        [text("depth.unknown"), list.length - known.length],
      ],
    },
    numbers: {
      head: ["id", "time", "longitude", "latitude", "depth_km", "magnitude"],
      rows: known.map((one) => [
        one.id,
        iso(one.timestamp),
        one.location.longitude,
        one.location.latitude,
        one.location.depth as number,
        one.magnitude ?? "",
      ]),
    },
  };
}

/** Take the brushed range as bounds of a filter. */
function brush(
  app: App,
  u: uPlot,
  along: "x" | "y",
  names: [keyof State, keyof State],
  factor: number,
  digits = 0,
): void {
  const { left, top, width, height } = u.select;
  const size = along === "x" ? width : height;
  if (size < 4) return;
  const begin = along === "x" ? left : top;
  const ends = [u.posToVal(begin, along), u.posToVal(begin + size, along)].sort((a, b) => a - b);
  const [least, most] = ends.map((value) => (factor > 0 ? Math.round(value * factor) : Number(value.toFixed(digits))));
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  app.set({ [names[0]]: least, [names[1]]: most, ...(names[0] === "starttime" ? { replay: null } : {}) }, true);
}

/** The earthquake whose dot is under the pointer, or next to it. */
function nearest(
  u: uPlot,
  points: (readonly [x: number, y: number, earthquake: Earthquake])[],
  left: number,
  top: number,
): Earthquake | null {
  let found: Earthquake | null = null;
  let closest = NEAR_PX;
  for (const [x, y, earthquake] of points) {
    const apart = Math.hypot(u.valToPos(x, "x") - left, u.valToPos(y, "y") - top);
    if (apart < closest) [found, closest] = [earthquake, apart];
  }
  return found;
}

/** `read`: what the pointer rests on, in words; the table has the same for those without one. */
function common(
  axes: Axis[],
  brushed: (u: uPlot) => void,
  read: (u: uPlot, index: number) => string,
  along: "x" | "y" = "x",
): Pick<Options, "axes" | "cursor" | "legend" | "hooks" | "padding"> {
  return {
    axes,
    padding: [10, 26, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: along === "x", y: along === "y", setScale: false }, points: { show: false } },
    hooks: { setSelect: [brushed], init: [addReadout], setCursor: [(u) => readOut(u, read)] },
  };
}

function addReadout(u: uPlot): void {
  const readout = document.createElement("div");
  readout.className = "readout";
  readout.hidden = true;
  readout.setAttribute("aria-hidden", "true");
  u.over.append(readout);
}

function readOut(u: uPlot, read: (u: uPlot, index: number) => string): void {
  const readout = u.over.querySelector<HTMLElement>(".readout");
  if (!readout) return;
  const { left = -1, idx } = u.cursor;
  const words = left < 0 || idx === null || idx === undefined ? "" : read(u, idx);
  readout.hidden = words === "";
  readout.textContent = words;
  readout.classList.toggle("left", left > u.over.clientWidth / 2); // not under the pointer
}

function axis(app: App, write: (value: number) => string): Axis {
  const palette = PALETTES[app.theme];
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--soft").trim();
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const line = { stroke: palette.border, width: 1 };
  return {
    stroke: ink,
    font,
    grid: line,
    ticks: { ...line, size: 4 },
    size: (_, values) => Math.max(44, 18 + CHARACTER_PX * Math.max(0, ...(values ?? []).map((value) => value.length))),
    values: (_, splits) => splits.map((value) => (value === null ? "" : write(value))),
  };
}

const countAxis = (app: App): Axis => axis(app, (value) => (Number.isInteger(value) ? app.format.number(value) : ""));

function timeAxis(app: App): Axis {
  const locale = app.preferences.language === "de" ? "de-DE" : "en-GB";
  const timeZone = app.preferences.zone === "utc" ? "UTC" : undefined;
  const day = new Intl.DateTimeFormat(locale, { timeZone, day: "numeric", month: "short" });
  const hour = new Intl.DateTimeFormat(locale, { timeZone, hour: "2-digit", minute: "2-digit" });
  const base = axis(app, String);
  return {
    ...base,
    size: 44,
    space: 64,
    values: (_, splits) => {
      const step = (splits[1] ?? 0) - (splits[0] ?? 0);
      let before = "";
      return splits.map((s) => {
        const date = day.format(s * 1000);
        if (step >= 43_200) return date;
        const shown = date === before ? "" : `\n${date}`; // the day below the first hour of it
        before = date;
        return `${hour.format(s * 1000)}${shown}`;
      });
    },
  };
}

const bars = (app: App): Series => ({
  fill: `${PALETTES[app.theme].accent}c0`,
  stroke: PALETTES[app.theme].accent,
  width: 0,
  points: { show: false },
});

const line = (app: App): Series => ({ stroke: PALETTES[app.theme].accent, width: 2, points: { show: false } });

const dotted = (app: App): string => (app.theme === "dark" ? "#ffb13d" : "#b8420a");
