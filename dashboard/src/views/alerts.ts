// Alerts: the key, who is told of what, and one subscription with its buttons, its form, and what it was told.

import { html, nothing, type TemplateResult } from "lit-html";
import { Desk } from "../alerts/desk.ts";
import { combined, type Draft, draftOf, pointOf, type Subscription, type Told } from "../alerts/subscription.ts";
import type { App } from "../app.ts";
import { counted, type Key, text, textIfKnown } from "../texts.ts";
import { address, icon } from "./parts.ts";
import { romanOf, subscriptionForm } from "./subscription.ts";

const SNOOZES_H = [1, 8, 24, 168] as const;

let desk: Desk | null = null;

export function alertsView(app: App): TemplateResult {
  desk ??= new Desk(app);
  desk.look(app.state.alert);
  return html`<div class="scroll page alerts" tabindex="-1" id="rows">
    ${desk.access !== "open" ? door(desk) : app.state.alert === null ? listing(app, desk) : one(app, desk)}
  </div>`;
}

/** Where the key is asked for, or why there is nothing to be had. */
function door(desk: Desk): TemplateResult {
  const enter = (event: Event): void => {
    event.preventDefault();
    const key = new FormData(event.target as HTMLFormElement).get("key");
    void desk.enter(String(key ?? "").trim());
  };
  const shut = desk.access === "off" || desk.access === "closed";
  return html`<h1 tabindex="-1">${text("view.alerts")}</h1>
    <p class="lead">${text("alerts.lead")}</p>
    ${desk.access === "asks" || desk.access === "open" ? nothing : html`<p class="note bad" role="alert">${text(`alerts.access.${desk.access}`)}</p>`}
    ${
      shut
        ? nothing
        : html`<form class="key" @submit=${enter}>
            <label for="key">${text("alerts.key")}</label>
            <div class="line">
              <input id="key" name="key" type="password" autocomplete="off" required />
              <button class="solid" ?disabled=${desk.busy}>${text("alerts.enter")}</button>
            </div>
            <small>${text("alerts.key.what")}</small>
          </form>`
    }`;
}

function listing(app: App, desk: Desk): TemplateResult {
  return html`<header class="head">
      <h1 tabindex="-1">${text("view.alerts")}</h1>
      <a class="button solid" id="new-alert" href=${address(app, { alert: "new" })}>${icon("plus")}${text("alerts.new")}</a>
    </header>
    ${said(desk)}
    ${
      desk.list.length === 0
        ? html`<p class="empty">${text("alerts.none")}</p>`
        : html`<ul class="subscriptions">
            ${desk.list.map((subscription) => card(app, subscription))}
          </ul>`
    }
    <p class="soft small">${text("alerts.notice")} <button type="button" class="quiet" @click=${() => desk.leave()}>${text("alerts.leave")}</button></p>`;
}

function card(app: App, subscription: Subscription): TemplateResult {
  return html`<li class="card">
    <a href=${address(app, { alert: subscription.id })}><b>${nameOf(app, subscription)}</b></a>
    <span>${states(app, subscription)}</span>
    <p>${whereWords(app, subscription)} · ${whatWords(app, subscription)}</p>
    <p class="soft small">${howWords(subscription)}</p>
  </li>`;
}

/** Confirmed or not, snoozed, for drills too, from a file. */
function states(app: App, subscription: Subscription): TemplateResult[] {
  const tags: TemplateResult[] = [];
  const until = subscription.snooze_until_ms ?? 0;
  const tag = (words: string, kind = ""): void =>
    void tags.push(html`<span class="tag status ${kind}">${words}</span> `);
  if (until > app.realNow()) tag(text("alerts.snoozed-until", { time: app.format.moment(until) }), "warn");
  if (subscription.unconfirmed.length > 0) tag(text("alerts.unconfirmed"), "warn");
  else if (until <= app.realNow()) tag(text("alerts.active"), "good");
  for (const mode of subscription.modes ?? []) {
    if (mode !== "actual") tags.push(html`<span class="tag drill">${text(`mode.${mode as "exercise"}`)}</span> `);
  }
  if (subscription.origin !== "api") tag(text("alerts.from-file"));
  return tags;
}

const nameOf = (app: App, subscription: Subscription): string => subscription.name || whereWords(app, subscription);

function whereWords(app: App, { where }: Subscription): string {
  const draft = draftOf({ where, how: { channels: [] } } as unknown as Subscription);
  const point = pointOf(draft);
  if (where.kind === "circle" && point) {
    const place = draft.place || app.format.position(point);
    const radius = Number(draft.radius);
    return radius > 0 ? text("alerts.around", { place, distance: app.format.distance(radius) }) : place;
  }
  if (where.kind === "portfolio") {
    const { sites } = where as { sites?: number | unknown[] };
    return counted("alerts.sites", Array.isArray(sites) ? sites.length : Number(sites ?? 0));
  }
  return draft.country || draft.region || (textIfKnown(`alerts.where.${where.kind}`) ?? where.kind);
}

function whatWords(app: App, subscription: Subscription): string {
  if (combined(subscription)) return text("alerts.combined");
  const { intensity, minMagnitude, maxMagnitude }: Draft = draftOf(subscription);
  const { format } = app;
  const words = [
    intensity &&
      text("alerts.shaking-from", {
        roman: Number.isInteger(Number(intensity)) ? romanOf(Number(intensity)) : format.number(Number(intensity), 1),
      }),
    minMagnitude && `M ≥ ${format.number(Number(minMagnitude), 1)}`,
    maxMagnitude && `M ≤ ${format.number(Number(maxMagnitude), 1)}`,
  ].filter(Boolean);
  return words.length > 0 ? words.join(", ") : text("alerts.everything");
}

function howWords({ how }: Subscription): string {
  const channels = how.channels.map(({ channel, url }) =>
    /^mailtos?:/i.test(String(url ?? ""))
      ? text("alerts.channel.email")
      : channel === "webpush"
        ? text("alerts.channel.browser")
        : (textIfKnown(`alerts.channel.${channel}`) ?? channel),
  );
  return [...new Set(channels)].join(" · ");
}

function said(desk: Desk): TemplateResult {
  const { said } = desk;
  return html`<div role="status" id="said">${said ? html`<p class="note ${said.bad ? "bad" : "good"}">${said.text}</p>` : nothing}</div>`;
}

function one(app: App, desk: Desk): TemplateResult {
  const { open, draft } = desk;
  const back = html`<a class="button back" href=${address(app, { alert: null })} id="back">${icon("back")}${text("view.alerts")}</a>`;
  if (desk.missing) return html`${back}<p class="empty">${text("alerts.missing")}</p>`;
  if (!draft) return html`${back}<p class="empty">${text("list.loading")}</p>`;
  const fixed = open !== null && open.origin !== "api";
  return html`${back}
    <h1 tabindex="-1">${open ? nameOf(app, open) : text("alerts.new")}</h1>
    ${open ? html`<p>${states(app, open)}</p>` : html`<p class="lead">${text("alerts.new.what")}</p>`}
    ${fixed ? html`<p class="note">${text("alerts.file.what")}</p>` : nothing}
    ${open ? actions(app, desk, open, draft) : nothing} ${said(desk)}
    ${open ? toldView(app, desk) : nothing}
    ${
      fixed
        ? html`<p>${whereWords(app, open)} · ${whatWords(app, open)}</p>`
        : html`<section>${open ? html`<h2>${text("alerts.change")}</h2>` : nothing} ${subscriptionForm(app, desk, draft)}</section>`
    }`;
}

function actions(app: App, desk: Desk, open: Subscription, draft: Draft): TemplateResult {
  const asleep = (open.snooze_until_ms ?? 0) > app.realNow();
  const fixed = open.origin !== "api";
  const snooze = (event: Event): void => {
    const select = event.target as HTMLSelectElement;
    void desk.snooze(Number(select.value));
    select.value = "";
  };
  return html`<div class="buttons actions">
      <button type="button" id="test" ?disabled=${desk.busy} @click=${() => void desk.test()}>${text("alerts.test")}</button>
      ${
        fixed
          ? nothing
          : asleep
            ? html`<button type="button" ?disabled=${desk.busy} @click=${() => void desk.snooze(null)}>${text("alerts.wake")}</button>`
            : html`<label class="select"
                ><span class="hidden">${text("alerts.snooze")}</span>
                <select id="snooze" ?disabled=${desk.busy} @change=${snooze}>
                  <option value="" selected disabled>${text("alerts.snooze")}</option>
                  ${SNOOZES_H.map((hours) => html`<option value=${hours}>${app.format.duration(hours * 3_600_000)}</option>`)}
                </select></label
              >`
      }
      ${
        fixed
          ? nothing
          : desk.removing
            ? html`<span class="sure" role="group" aria-label=${text("alerts.remove.sure")}>
                ${text("alerts.remove.sure")}
                <button type="button" class="danger" id="remove-yes" @click=${() => void desk.remove()}>${text("alerts.remove")}</button>
                <button type="button" @click=${() => ask(app, desk, false)}>${text("alerts.cancel")}</button>
              </span>`
            : html`<button type="button" id="remove" ?disabled=${desk.busy} @click=${() => ask(app, desk, true)}>${text("alerts.remove")}</button>`
      }
    </div>
    ${drill(app, desk, open, draft)}`;
}

function ask(app: App, desk: Desk, removing: boolean): void {
  desk.removing = removing;
  app.redraw();
  document.getElementById(removing ? "remove-yes" : "remove")?.focus();
}

/** An earthquake that never was, from the rules to the channels. */
function drill(app: App, desk: Desk, open: Subscription, draft: Draft): TemplateResult {
  const asks = open.modes?.includes("exercise") ?? false;
  const here = pointOf(draft) ?? app.map?.camera() ?? { latitude: 0, longitude: 0 };
  const play = (event: Event): void => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    void desk.drill(Object.fromEntries([...form].map(([name, value]) => [name, Number(value)])));
  };
  const number = (
    name: string,
    label: Key,
    value: number,
    least: number,
    most: number,
  ): TemplateResult => html`<div class="field">
    <label for=${`drill-${name}`}>${text(label)}</label>
    <input id=${`drill-${name}`} name=${name} type="number" required step="any" min=${least} max=${most} value=${value} />
  </div>`;
  return html`<details class="drill">
    <summary>${text("alerts.drill")}</summary>
    <p class="soft small">${text(asks ? "alerts.drill.what" : "alerts.drill.unasked")}</p>
    ${
      asks
        ? html`<form @submit=${play}>
            <div class="fields">
              ${number("magnitude", "magnitude", 6.5, 0, 10)} ${number("latitude", "latitude", Number(here.latitude.toFixed(2)), -90, 90)}
              ${number("longitude", "longitude", Number(here.longitude.toFixed(2)), -180, 180)} ${number("depth", "alerts.depth", 10, 0, 700)}
            </div>
            <button id="drill" ?disabled=${desk.busy}>${text("alerts.drill.play")}</button>
          </form>`
        : nothing
    }
  </details>`;
}

/** What it was told, newest first, each with how far it has come. */
function toldView(app: App, desk: Desk): TemplateResult {
  const { format } = app;
  const row = (told: Told): TemplateResult => html`<li>
    <time datetime=${new Date(told.created).toISOString()}>${format.moment(told.created)}</time>
    <span>
      ${told.mode === "actual" ? nothing : html`<span class="tag drill">${text(`mode.${told.mode as "exercise"}`)}</span>`}
      <b>${textIfKnown(`told.kind.${told.kind}`) ?? told.kind}</b> ·
      <span class="state ${told.state}">${textIfKnown(`told.state.${told.state}`) ?? told.state}</span>
      ${told.earthquake ? html` · <a href=${address(app, { id: told.earthquake })}>${text("view.detail")}</a>` : nothing}
      <small
        >${textIfKnown(`alerts.channel.${told.channel === "webpush" ? "browser" : told.channel}`) ?? told.channel}${told.attempts > 1 ? html` · ${counted("told.attempts", told.attempts)}` : nothing}${told.why ? html` · ${told.why}` : nothing}</small
      >
    </span>
  </li>`;
  return html`<section>
    <h2>${text("told")}</h2>
    ${
      desk.told.length === 0
        ? html`<p class="soft">${text("told.none")}</p>`
        : html`<ol class="steps told" tabindex="0" aria-label=${text("told")}>
            ${desk.told.map(row)}
          </ol>`
    }
  </section>`;
}
