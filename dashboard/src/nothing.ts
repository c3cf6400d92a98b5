// Why the list is empty, and which one step would fill it. Pure but for the language.

import type { Area } from "./area.ts";
import type { Earthquake } from "./earthquake.ts";
import { matches, windowOf } from "./filter.ts";
import type { Format } from "./format.ts";
import type { Asked, State } from "./state.ts";
import { type Key, text } from "./texts.ts";

export interface Reason {
  /** "No earthquake of M 9 or more in the last day." */
  says: string;
  /** null: nothing would help but waiting. */
  way: { label: string; change: Partial<State> } | null;
}

interface Way {
  key: Key;
  set: boolean;
  change: Partial<Asked>;
}

/** `known`: every earthquake that the page has, whatever the filters say; `onMap`: there are some beyond the map's edge. */
export function reasonOf(
  asked: Asked,
  area: Area | null,
  known: Iterable<Earthquake>,
  onMap: boolean,
  nowMs: number,
  format: Format,
): Reason {
  const bounds = boundsOf(asked, format);
  // Where nothing narrows it there is nothing to say of it, but of what will come.
  const plain = bounds === "" && asked.mode === "all" && asked.starttime === null && asked.endtime === null;
  const says = plain
    ? text("list.none")
    : text("list.none-in", { bounds, when: whenOf(asked, format) }).replace(/ +/g, " ");
  if (onMap) return { says, way: { label: text("list.widen.map"), change: { onmap: false } } };
  const ways: Way[] = [
    {
      key: "list.widen.magnitude",
      set: asked.minmagnitude !== null || asked.maxmagnitude !== null,
      change: { minmagnitude: null, maxmagnitude: null },
    },
    {
      key: "list.widen.depth",
      set: asked.mindepth !== null || asked.maxdepth !== null,
      change: { mindepth: null, maxdepth: null },
    },
    { key: "list.widen.where", set: asked.where !== null, change: { where: null } },
    { key: "list.widen.mode", set: asked.mode !== "all", change: { mode: "all" } },
  ];
  const all = [...known];
  const helps = ({ set, change }: Way): boolean => {
    const wider = { ...asked, ...change };
    const within = "where" in change ? null : area;
    return set && all.some((one) => matches(one, wider, windowOf(wider, nowMs), within));
  };
  // One that is known to help; else a longer time, which may; else whatever still narrows.
  const way = ways.find(helps) ?? longer(asked) ?? ways.find(({ set }) => set);
  const kept: Partial<State> = { period: asked.period, minmagnitude: asked.minmagnitude };
  return { says, way: way ? { label: text(way.key), change: { ...kept, ...way.change } } : null };
}

function longer(asked: Asked): Way | null {
  const open = { starttime: null, endtime: null, replay: null };
  if (contrary(asked)) return null;
  if (asked.starttime !== null || asked.endtime !== null || asked.period === "week" || asked.period === "month")
    return { key: "list.widen.all", set: true, change: { ...open, period: "all" } };
  return asked.period === "all" ? null : { key: "list.widen.period", set: true, change: { ...open, period: "week" } };
}

const contrary = ({ minmagnitude, maxmagnitude, mindepth, maxdepth }: Asked): boolean =>
  (minmagnitude !== null && maxmagnitude !== null && minmagnitude > maxmagnitude) ||
  (mindepth !== null && maxdepth !== null && mindepth > maxdepth);

/** "Earthquakes of M 4.5 or more in the last day." */
export const wordsOf = (asked: Asked, format: Format): string =>
  text("print.which", { bounds: boundsOf(asked, format), when: whenOf(asked, format) }).replace(/ +/g, " ");

function boundsOf(asked: Asked, format: Format): string {
  const { minmagnitude: least, maxmagnitude: most, mindepth, maxdepth, where } = asked;
  const size = (m: number | null): string => (m === null ? "" : format.number(m, Number.isInteger(m) ? 0 : 1));
  const parts: string[] = [];
  const bound = (from: unknown, to: unknown): Key =>
    from === null ? "list.bounds.to" : to === null ? "list.bounds.from" : "list.bounds.between";
  if (least !== null || most !== null) parts.push(text(bound(least, most), { least: size(least), most: size(most) }));
  if (mindepth !== null || maxdepth !== null) {
    const [from, to] = [mindepth, maxdepth].map((km) => (km === null ? null : format.depth(km)));
    const range = to === null ? `≥ ${from}` : from === null ? `≤ ${to}` : `${from} – ${to}`;
    parts.push(text("list.bounds.deep", { range }));
  }
  if (where !== null) parts.push(text("list.bounds.where", { where }));
  return parts.join(", ");
}

function whenOf(asked: Asked, format: Format): string {
  if (contrary(asked)) return text("list.when.contrary");
  const [from, to] = [asked.starttime, asked.endtime].map((ms) => (ms === null ? null : format.moment(ms)));
  if (from && to) return text("list.when.window", { from, to });
  if (from) return text("list.when.since", { from });
  if (to) return text("list.when.until", { to });
  return text(`list.when.${asked.period}`);
}
