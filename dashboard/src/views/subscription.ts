// The form of one subscription: where, what and how; and how often it would have fired, while it is being made.

import { html, nothing, type TemplateResult } from "lit-html";
import type { Desk } from "../alerts/desk.ts";
import {
  type ChannelDraft,
  combined,
  type Draft,
  endpointOf,
  isMail,
  type Mail,
  MESSAGE_UNITS,
  PLACES,
  pointOf,
  UPDATES,
} from "../alerts/subscription.ts";
import type { App } from "../app.ts";
import { LANGUAGES } from "../state.ts";
import { counted, type Key, text, textIfKnown } from "../texts.ts";
import { faultOf, field, focusFault, select } from "./field.ts";
import { address, choice, icon, toggle } from "./parts.ts";
import { LANGUAGE_NAMES } from "./settings.ts";

const ROMAN = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"] as const;
/** As everywhere on the page: classes are rounded to the nearest. */
export const romanOf = (mmi: number): string => ROMAN[Math.min(ROMAN.length, Math.max(1, Math.round(mmi))) - 1] ?? "I";

const INTENSITIES = [2, 3, 4, 5, 6, 7, 8, 9] as const;
const SEVERE = [4, 5, 6, 7, 8, 9, 10] as const;

export function subscriptionForm(app: App, desk: Desk, draft: Draft): TemplateResult {
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!(await desk.save())) focusFault();
  };
  return html`<form class="subscription" novalidate aria-label=${text("alerts.form")} @submit=${(event: Event) => void save(event)}>
    ${field(desk.faults, { at: "name", label: "alerts.name", value: draft.name, set: (name) => desk.edit({ name }), wide: true })}
    ${where(app, desk, draft)} ${what(desk, draft)} ${how(desk, draft)}
    <div class="decide">
      ${preview(app, desk)}
      <div class="buttons">
        <button class="solid" id="save" ?disabled=${desk.busy}>${text(desk.open ? "alerts.save" : "alerts.add")}</button>
        <a class="button" href=${address(app, { alert: null })}>${text("alerts.cancel")}</a>
      </div>
    </div>
  </form>`;
}

function where(app: App, desk: Desk, draft: Draft): TemplateResult {
  const kinds = PLACES.some((kind) => kind === draft.kind) ? PLACES : [...PLACES, draft.kind];
  const part = (at: string, label: Key, name: keyof Draft, more: object = {}): TemplateResult =>
    field(desk.faults, {
      at,
      label,
      value: draft[name] as string,
      set: (value) => desk.edit({ [name]: value }),
      ...more,
    });
  const decimal = { inputmode: "decimal" };
  const within = part("where.within_km", "alerts.within", "within", { ...decimal, hint: "alerts.within.hint" });
  return html`<fieldset>
    <legend>${text("alerts.where")}</legend>
    ${choice(
      text("alerts.where"),
      kinds.map((value) => ({ value, label: textIfKnown(`alerts.where.${value}`) ?? value })),
      draft.kind,
      (kind) => desk.edit({ kind }),
    )}
    ${
      draft.kind === "circle"
        ? html`<div class="buttons">
              <button type="button" id="choose" aria-pressed=${desk.choosing} @click=${() => desk.choose(!desk.choosing)}>${icon("place")}${text("alerts.choose")}</button>
              ${desk.choosing ? html`<button type="button" @click=${() => middle(app)}>${text("alerts.middle")}</button>` : nothing}
              ${
                app.place
                  ? html`<button type="button" @click=${() => desk.edit({ latitude: String(app.place?.latitude), longitude: String(app.place?.longitude) })}>${icon("home")}${text("here")}</button>`
                  : nothing
              }
              ${pointOf(draft) ? html`<button type="button" @click=${() => app.map?.fly(pointOf(draft) as NonNullable<ReturnType<typeof pointOf>>, 5)}>${text("detail.show")}</button>` : nothing}
            </div>
            ${desk.choosing ? html`<p class="note" role="status">${text("alerts.choosing")}</p>` : nothing}
            <div class="fields">
              ${part("where.latitude", "latitude", "latitude", decimal)} ${part("where.longitude", "longitude", "longitude", decimal)}
              ${part("where.place", "alerts.place", "place", { hint: "alerts.place.hint" })}
              ${part("where.radius_km", "alerts.radius", "radius", { ...decimal, hint: "alerts.radius.hint" })}
            </div>`
        : draft.kind === "country" || draft.kind === "region"
          ? html`<div class="fields">
              ${part("where.name", `alerts.where.${draft.kind}`, draft.kind, { hint: `alerts.${draft.kind}.hint`, list: "place-names" })} ${within}
            </div>
            <datalist id="place-names">${namesOf(desk, draft.kind).map(([name, code]) => html`<option value=${name}>${code}</option>`)}</datalist>`
          : html`<p class="soft">${text(draft.kind === "world" ? "alerts.world.what" : "alerts.kept.where")}</p>`
    }
    ${faultOf(desk.faults, "where.geometry")}
  </fieldset>`;
}

const namesOf = ({ places }: Desk, kind: string): (readonly [name: string, code: string])[] =>
  kind === "country"
    ? places.countries.map(({ name, code }) => [name, code] as const)
    : places.regions.map((name) => [name, ""] as const);

/** For those who don't click: the place that the middle of the map shows. */
function middle(app: App): void {
  const camera = app.map?.camera();
  if (camera) app.choose(camera);
}

function what(desk: Desk, draft: Draft): TemplateResult {
  const faults = desk.faults;
  if (combined(draft.base)) {
    return html`<fieldset>
      <legend>${text("alerts.what")}</legend>
      <p class="soft">${text("alerts.kept.what")}</p>
      <pre tabindex="0">${JSON.stringify(draft.base?.what, null, 1)}</pre>
    </fieldset>`;
  }
  const bound = (at: string, label: Key, name: keyof Draft): TemplateResult =>
    field(faults, {
      at: `what.${at}`,
      label,
      value: draft[name] as string,
      set: (value) => desk.edit({ [name]: value }),
      inputmode: "decimal",
    });
  const shaking = INTENSITIES.map((value) => ({ value: String(value), label: intensityLabel(value) }));
  return html`<fieldset>
    <legend>${text("alerts.what")}</legend>
    ${select(
      faults,
      {
        at: "what.min_intensity",
        label: "alerts.intensity",
        value: draft.intensity,
        set: (intensity) => desk.edit({ intensity }),
        hint: "alerts.intensity.hint",
        wide: true,
      },
      [...shaking, { value: "", label: text("alerts.intensity.any") }],
    )}
    <div class="fields">${bound("min_magnitude", "filters.minmagnitude", "minMagnitude")} ${bound("max_magnitude", "filters.maxmagnitude", "maxMagnitude")} ${bound("min_depth_km", "alerts.least-depth", "minDepth")} ${bound("max_depth_km", "alerts.most-depth", "maxDepth")}</div>
    <p class="soft small">${text("alerts.what.all")}</p>
    ${faultOf(new Map([...faults].filter(([at]) => at === "what")), "what")}
    <div class="line">
      ${toggle(text("alerts.exercise"), draft.exercise, (exercise) => desk.edit({ exercise }))}
      ${toggle(text("alerts.test-mode"), draft.test, (test) => desk.edit({ test }))}
      ${toggle(text("alerts.aftershocks"), draft.aftershocks, (aftershocks) => desk.edit({ aftershocks }))}
    </div>
  </fieldset>`;
}

/** "IV light: …" */
export function intensityLabel(value: number): string {
  const roman = ROMAN[value - 1] ?? String(value);
  const felt = textIfKnown(`felt.${roman}`);
  return `${roman} – ${textIfKnown(`mmi.${roman}`) ?? ""}${felt ? `: ${felt}` : ""}`;
}

function how(desk: Desk, draft: Draft): TemplateResult {
  const { faults } = desk;
  const add = (channel: string, mail?: Mail): void =>
    desk.edit({ channels: [...draft.channels, { channel, to: "", given: null, ...(mail ? { mail } : {}) }] });
  const listed = draft.channels.some(({ given }) => desk.endpoint !== null && endpointOf(given) === desk.endpoint);
  const { hindrance } = desk;
  return html`<fieldset>
      <legend>${text("alerts.how")}</legend>
      <ul class="channels">
        ${draft.channels.map((one, n) => channel(desk, draft, one, n))}
      </ul>
      ${draft.channels.length === 0 ? html`<p class="soft">${text("alerts.channels.none")}</p>` : nothing}
      ${faults.has("how.channels") ? html`<p class="fault">${faults.get("how.channels")}</p>` : nothing}
      <div class="buttons" role="group" aria-label=${text("alerts.channel.add")}>
        ${
          listed
            ? nothing
            : html`<button type="button" id="this-browser" ?disabled=${hindrance !== null || desk.busy} aria-describedby=${hindrance ? "hindrance" : nothing} @click=${() => void desk.thisBrowser(null)}>${icon("plus")}${text("alerts.channel.webpush")}</button>`
        }
        <button type="button" @click=${() => add("apprise", { address: "", server: "", user: "", password: "" })}>${icon("plus")}${text("alerts.channel.email")}</button>
        <button type="button" @click=${() => add("webhook")}>${icon("plus")}${text("alerts.channel.webhook")}</button>
        <button type="button" @click=${() => add("apprise")}>${icon("plus")}${text("alerts.channel.apprise")}</button>
      </div>
      ${hindrance ? html`<p class="note" id="hindrance">${text(`alerts.browser.${hindrance}`)}</p>` : nothing}
    </fieldset>
    <fieldset>
      <legend>${text("alerts.wording")}</legend>
      <div class="fields">
        ${select(
          faults,
          {
            at: "how.language",
            label: "settings.language",
            value: draft.language,
            set: (language) => desk.edit({ language }),
          },
          LANGUAGES.map((value) => ({ value, label: LANGUAGE_NAMES[value] })),
        )}
        ${select(
          faults,
          { at: "how.units", label: "settings.units", value: draft.units, set: (units) => desk.edit({ units }) },
          MESSAGE_UNITS.map((value) => ({ value, label: text(`alerts.units.${value}`) })),
        )}
        ${select(
          faults,
          {
            at: "how.updates",
            label: "alerts.updates",
            value: draft.updates,
            set: (updates) => desk.edit({ updates }),
            wide: true,
          },
          UPDATES.map((value) => ({ value, label: text(`alerts.updates.${value}`) })),
        )}
      </div>
      <p class="soft small">${text("alerts.cancellation")}</p>
      ${toggle(text("alerts.quiet"), draft.quiet, (quiet) => desk.edit({ quiet }))}
      ${draft.quiet ? quiet(desk, draft) : nothing}
      ${field(faults, {
        at: "time_zone",
        label: "alerts.zone",
        value: draft.zone,
        set: (zone) => desk.edit({ zone }),
        list: "time-zones",
        hint: "alerts.zone.hint",
        wide: true,
      })}
      <datalist id="time-zones">${zones().map((zone) => html`<option value=${zone}></option>`)}</datalist>
    </fieldset>`;
}

let known: string[] | null = null;
const zones = (): string[] => {
  known ??= ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];
  return known;
};

function quiet(desk: Desk, draft: Draft): TemplateResult {
  const clock = (at: string, label: Key, name: "quietStart" | "quietEnd"): TemplateResult =>
    field(desk.faults, {
      at: `how.quiet_hours.${at}`,
      label,
      type: "time",
      value: draft[name],
      set: (value) => desk.edit({ [name]: value }),
    });
  return html`<div class="fields">
      ${clock("start", "alerts.quiet.start", "quietStart")} ${clock("end", "alerts.quiet.end", "quietEnd")}
      ${select(
        desk.faults,
        {
          at: "how.quiet_hours.unless_intensity",
          label: "alerts.quiet.unless",
          value: draft.unlessIntensity,
          set: (unlessIntensity) => desk.edit({ unlessIntensity }),
          wide: true,
        },
        SEVERE.map((value) => ({ value: String(value), label: intensityLabel(value) })),
      )}
    </div>
    ${desk.faults.has("how.quiet_hours") ? html`<p class="fault">${desk.faults.get("how.quiet_hours")}</p>` : nothing}`;
}

function channel(desk: Desk, draft: Draft, one: ChannelDraft, n: number): TemplateResult {
  const { faults } = desk;
  const at = `how.channels[${n}]`;
  const change = (channel: ChannelDraft): void => desk.edit({ channels: draft.channels.with(n, channel) });
  const remove = (): void => desk.edit({ channels: draft.channels.filter((_, m) => m !== n) });
  const own = one.channel === "webpush" && endpointOf(one.given) === desk.endpoint;
  const name: Key =
    one.channel === "webpush"
      ? own
        ? "alerts.channel.webpush"
        : "alerts.channel.other-browser"
      : isMail(one)
        ? "alerts.channel.email"
        : (`alerts.channel.${one.channel}` as Key);
  const label = textIfKnown(name) ?? one.channel;
  const unconfirmed = one.to !== "" && (desk.open?.unconfirmed.includes(one.to) ?? false);
  const mail = (part: keyof Mail, key: Key, more: object = {}): TemplateResult =>
    field(faults, {
      at: `${at}.${part}`,
      label: key,
      value: one.mail?.[part] ?? "",
      set: (value) => change({ ...one, mail: { ...(one.mail as Mail), [part]: value } }),
      ...more,
    });
  return html`<li class="channel">
    <header>
      <b>${label}</b>
      ${unconfirmed ? html`<span class="tag status warn">${text("alerts.unconfirmed")}</span>` : nothing}
      ${one.to !== "" && desk.open?.ended?.includes(one.to) ? html`<span class="tag status warn">${text("alerts.ended")}</span>` : nothing}
      <button type="button" class="quiet" @click=${remove} aria-label=${text("alerts.channel.remove", { channel: label })}>${icon("close")}</button>
    </header>
    ${
      one.channel === "webpush"
        ? own
          ? html`<p class="soft small">${text("alerts.browser.own")}</p>`
          : html`<p class="soft small">${text("alerts.browser.another")} <button type="button" ?disabled=${desk.hindrance !== null} @click=${() => void desk.thisBrowser(n)}>${text("alerts.browser.instead")}</button></p>`
        : one.mail
          ? html`<div class="fields">
                ${mail("address", "alerts.mail.address", { type: "email", autocomplete: "email" })} ${mail("server", "alerts.mail.server")}
                ${mail("user", "alerts.mail.user")} ${mail("password", "alerts.mail.password", { type: "password", autocomplete: "new-password" })}
              </div>
              <p class="soft small">${text("alerts.mail.confirm")}</p>`
          : one.channel === "console"
            ? nothing
            : field(faults, {
                at: `${at}.url`,
                label: "alerts.url",
                value: one.to,
                set: (to) => change({ ...one, to }),
                type: "url",
                hint: one.channel === "webhook" ? "alerts.webhook.hint" : "alerts.apprise.hint",
                wide: true,
              })
    }
    ${faultOf(faults, at)}
    ${
      one.channel === "webhook" && one.given && desk.open?.webhook_secret
        ? html`<details><summary>${text("alerts.secret")}</summary><code>${desk.open.webhook_secret}</code></details>`
        : nothing
    }
  </li>`;
}

/** How often it would have fired: live, before anything is saved. */
function preview(app: App, desk: Desk): TemplateResult {
  const { preview, unclear } = desk;
  const { format } = app;
  if (preview === null) {
    const [, why = ""] = [...(unclear ?? [])][0] ?? [];
    return html`<p class="preview soft" role="status" id="preview">${text(unclear ? "alerts.preview.unclear" : "alerts.preview.asking")} <small>${why}</small></p>`;
  }
  const size = (m: number | null): string => format.magnitude(m);
  return html`<div class="preview" id="preview">
    <p role="status"><b>${counted("alerts.preview", preview.fired, { count: format.number(preview.fired) })}</b> <small>${counted("alerts.preview.of", preview.of, { count: format.number(preview.of) })}</small></p>
    ${
      preview.earthquakes.length > 0
        ? html`<details>
            <summary>${text("alerts.preview.which")}</summary>
            <ul class="fired">
              ${preview.earthquakes.map(
                (one) => html`<li>
                  <a href=${address(app, { id: one.id })}>M ${size(one.magnitude)} ${one.place ?? ""}</a>
                  <small>${format.moment(one.timestamp)} · ${text("exposure.away", { distance: format.distance(one.distance_km) })}${one.expected_mmi === null ? nothing : html` · ${text("alerts.preview.expected", { roman: romanOf(one.expected_mmi) })}`}</small>
                </li>`,
              )}
            </ul>
          </details>`
        : nothing
    }
  </div>`;
}
