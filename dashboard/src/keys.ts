// Single keys, for those who want them (a setting switches them off).

import type { App } from "./app.ts";
import { VIEWS } from "./state.ts";
import { focusRow } from "./views/list.ts";

export function listenToKeys(app: App): void {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape" && app.state.id !== null) {
      app.set({ id: null });
      return;
    }
    const target = event.target as HTMLElement;
    if (!app.preferences.shortcuts || target.matches("input, select, textarea")) return;
    const view = VIEWS[Number(event.key) - 1];
    if (view) app.set({ view, id: null });
    else if (event.key === "j" || event.key === "k") step(app, event.key === "j" ? 1 : -1);
    else if (event.key === "p") app.pause(!app.listing.paused);
    else if (event.key === "f") toFilters();
    else if (event.key === "s") document.querySelector<HTMLDialogElement>("#settings")?.showModal();
    else return;
    event.preventDefault();
  });
}

function toFilters(): void {
  const first = document.getElementById("minmagnitude");
  first?.closest("details")?.setAttribute("open", "");
  first?.focus();
}

/** To the next earthquake of the list, or the one before: its page if one is open, else its row. */
function step(app: App, by: number): void {
  const focused = (document.activeElement as HTMLElement | null)?.dataset["id"];
  const at = app.listing.listed.findIndex((one) => one.id === (app.state.id ?? focused));
  const next = app.listing.listed[Math.max(0, Math.min(app.listing.listed.length - 1, at + by))];
  if (!next) return;
  if (app.state.id === null) focusRow(app, app.listing.listed.indexOf(next));
  else app.set({ id: next.id }, false);
}
