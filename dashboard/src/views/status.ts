// How the stream is: the connection, each source, how many events a second; and the way to look at the past again.

import { html, nothing, type TemplateResult } from "lit-html";
import type { Source } from "../api.ts";
import type { App } from "../app.ts";
import { text, textIfKnown } from "../texts.ts";
import { connectionText } from "./connection.ts";
import { streamControl } from "./control.ts";
import { operation } from "./operation.ts";

export function statusView(app: App): TemplateResult {
  const { status, format } = app;
  const { connection } = app.live;
  const { kind, label } = connectionText(app);
  const tile = (name: string, value: unknown): TemplateResult =>
    html`<div class="tile"><dt>${name}</dt><dd>${value}</dd></div>`;
  return html`<div class="scroll page" tabindex="-1" id="rows">
    <section>
      <h1 tabindex="-1">${text("view.status")}</h1>
      <dl class="tiles">
        ${tile(text("status.connection"), html`<span class="badge ${kind}"><i aria-hidden="true"></i>${label}</span>`)}
        ${tile(text("status.rate"), status ? format.number(status.eventsPerSecond, 1) : "–")}
        ${tile(text("status.earthquakes"), status ? format.number(status.earthquakes) : "–")}
        ${tile(text("status.here"), format.number(app.catalogue.size))}
        ${tile(text("status.seq"), status ? format.number(status.seq) : "–")}
        ${tile(text("status.sign"), connection.since === null ? "–" : format.clock(connection.since))}
      </dl>
      <p>
        <button type="button" aria-pressed=${app.listing.paused} @click=${() => app.pause(!app.listing.paused)}>${text(app.listing.paused ? "resume" : "pause")}</button>
        <span class="soft">${text("status.pause")}</span>
      </p>
    </section>
    ${operation(app)} ${streamControl(app)}
    <section>
      <h2>${text("status.sources")}</h2>
      ${
        !status
          ? html`<p class="soft">${text("list.loading")}</p>`
          : status.sources.length === 0
            ? html`<p class="soft">${text("status.no-sources")}</p>`
            : html`<ul class="sources">
                ${status.sources.map((source) => sourceCard(app, source))}
              </ul>`
      }
    </section>
  </div>`;
}

function sourceCard(app: App, source: Source): TemplateResult {
  const { format } = app;
  const lag = source.lagMs ?? null;
  const last =
    source.lastEventAt === null || source.lastEventAt === undefined ? null : new Date(source.lastEventAt).getTime();
  const troubled =
    Boolean(source.lastError) || source.state === "gone" || source.state === "failing" || Boolean(source.silentSince);
  return html`<li class="source ${troubled ? "troubled" : ""}">
    <header>
      <b>${source.name}</b><span class="tag status">${textIfKnown(`source.${source.state}`) ?? source.state}</span>
    </header>
    <dl>
      <div><dt>${text("source.last")}</dt><dd>${last === null ? "–" : format.ago(last, app.realNow())}</dd></div>
      <div><dt>${text("source.lag")}</dt><dd>${lag === null ? "–" : format.duration(lag)}</dd></div>
      <div><dt>${text("source.published")}</dt><dd>${format.number(source.published ?? 0)}</dd></div>
      ${source.refused ? html`<div><dt>${text("source.refused")}</dt><dd>${format.number(source.refused)}</dd></div>` : nothing}
      <div><dt>${text("source.seen")}</dt><dd>${source.seenAt ? format.ago(source.seenAt, app.realNow()) : "–"}</dd></div>
    </dl>
    ${
      source.silentSince
        ? html`<p class="error">${text("source.silent", { since: format.ago(new Date(source.silentSince).getTime(), app.realNow()) })}</p>`
        : nothing
    }
    ${
      source.lastRefused
        ? html`<p class="refused">${text("source.last-refused", {
            ago: format.ago(new Date(source.lastRefused.at).getTime(), app.realNow()),
            reason: source.lastRefused.reason,
          })}</p>`
        : nothing
    }
    ${source.lastError ? html`<p class="error">${source.lastError}</p>` : nothing}
  </li>`;
}
