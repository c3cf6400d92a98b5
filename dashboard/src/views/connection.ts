// Whether what is shown is up to date, in words: in the header and in the view of the status.

import { html, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import type { Format } from "../format.ts";
import { text } from "../texts.ts";
import { address } from "./parts.ts";

export function connectionText(app: App): { kind: "live" | "paused" | "replay" | "resuming" | "stale"; label: string } {
  const { asof } = app.state;
  // What was is never live, whatever the connection does.
  if (asof !== null) return { kind: "replay", label: text("connection.asof", { time: whole(app.format, asof) }) };
  const stale = app.live.staleSince;
  if (stale !== null) return { kind: "stale", label: text("connection.stale", { time: app.format.clock(stale) }) };
  if (app.live.connection.state === "live" && app.live.loaded) {
    // What is shown is of the past then, however well the connection is.
    if (app.state.replay !== null) return { kind: "replay", label: text("connection.replay") };
    return app.listing.paused
      ? { kind: "paused", label: text("connection.paused") }
      : { kind: "live", label: text("connection.live") };
  }
  return { kind: "resuming", label: text(app.live.loaded ? "connection.resuming" : "connection.connecting") };
}

/** Day, time and zone. */
export const whole = (format: Format, ms: number): string => `${format.moment(ms)} ${format.zone(ms)}`;

/** In the header; it leads to the view of the status. */
export function connectionBadge(app: App): TemplateResult {
  const { kind, label } = connectionText(app);
  return html`<a class="badge ${kind}" id="connection" href=${address(app, { view: "status", id: null })}
    ><i aria-hidden="true"></i><span role="status">${label}</span></a
  >`;
}
