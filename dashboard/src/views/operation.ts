// For who runs it: what the interface knows of the program, what wants a person, and what to do next.

import { html, nothing, type TemplateResult } from "lit-html";
import type { Status } from "../api.ts";
import type { App } from "../app.ts";
import { type Fault, faultsOf, lagOf } from "../health.ts";
import type { Language } from "../state.ts";
import { counted, text } from "../texts.ts";
import { icon } from "./parts.ts";

const MEGABYTE = 1e6;

export function operation(app: App): TemplateResult | typeof nothing {
  const { status } = app;
  if (!status) return nothing;
  const faults = faultsOf(status);
  return html`<section id="operation">
    <h2>${text("operation")}</h2>
    ${
      faults.length === 0
        ? html`<p class="well" role="status">${text("operation.well")}</p>`
        : html`<ul class="faults" role="status" aria-label=${counted("operation.faults", faults.length)}>${faults.map((one) => fault(one, app.preferences.language))}</ul>`
    }
    ${status.consumer ? known(app, status.consumer) : nothing}
  </section>`;
}

function fault({ chapter, of, reason }: Fault, language: Language): TemplateResult {
  return html`<li>
    <b>${text(`fault.${chapter}`, { of })}</b>
    ${reason === "" ? nothing : html`<code>${reason}</code>`}
    <span>${text(`fault.${chapter}.do`, { of })}</span>
    <a class="out" href=${`handbook?language=${language}#${chapter}`} target="_blank" rel="noopener">${text("operation.handbook")}${icon("link")}</a>
  </li>`;
}

function known(app: App, consumer: NonNullable<Status["consumer"]>): TemplateResult {
  const number = app.format.number;
  const row = (name: string, value: unknown): TemplateResult =>
    html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`;
  const follower = (one: { active?: boolean; error?: string | null } | null | undefined): string => {
    if (!one) return text("operation.off");
    if (one.error) return text("operation.failing");
    return text(one.active ? "operation.active" : "operation.standby");
  };
  const { log, disk, alerts } = consumer;
  const partitions = consumer.partitions ?? [];
  // By their names, for the first is named 0, which as a number would be none.
  const partitionsRead = (names: number[]): string =>
    names.length === 0
      ? text("operation.no-partition")
      : counted("operation.partition", names.length, { names: names.join(", ") });
  return html`<table class="known">
    <tbody>
      ${row(text("operation.log"), log ? `${log.kind}, ${text(log.reachable ? "operation.reachable" : "operation.unreachable")}` : "–")}
      ${row(text("operation.partitions"), partitionsRead(partitions))}
      ${row(text("operation.lag"), number(lagOf(consumer)))} ${row(text("operation.consumed"), number(consumer.consumed ?? 0))}
      ${row(text("operation.dead-letters"), number(consumer.deadLetters ?? 0))} ${row(text("operation.republisher"), follower(consumer.republisher))}
      ${row(
        text("operation.alerts"),
        alerts?.subscriptions === null || alerts?.subscriptions === undefined
          ? follower(alerts)
          : `${follower(alerts)}, ${counted("operation.subscriptions", alerts.subscriptions, { count: number(alerts.subscriptions) })}`,
      )}
      ${
        disk
          ? row(
              text("operation.disk"),
              text("operation.free", {
                free: number(Math.round(disk.freeBytes / MEGABYTE)),
                total: number(Math.round(disk.totalBytes / MEGABYTE)),
              }),
            )
          : nothing
      }
    </tbody>
  </table>`;
}
