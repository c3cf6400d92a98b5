// Where the keyboard's focus goes when a reader opens something: to its heading, or back to the row that was left.

import type { App } from "./app.ts";
import { focusRow } from "./views/list.ts";

/** After a drawing. What is not here yet is waited for: charts are fetched, an earthquake may be unknown so far. */
export function settleFocus(app: App): void {
  if (app.arrival === null) return;
  const { left } = app.arrival;
  const { view, id } = app.state;
  const row = id === null && view === "list" ? app.listing.listed.findIndex((one) => one.id === left) : -1;
  const there = document.querySelector<HTMLElement>(id === null && view === "map" ? "#map canvas" : ".panel h1");
  if (row < 0 && !there) return;
  app.arrival = null;
  if (row >= 0) focusRow(app, row);
  else there?.focus({ preventScroll: true });
}
