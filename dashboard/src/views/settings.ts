// What somebody likes, in a dialog: it stays in this browser.

import { html, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { DRAWN_BY, LANGUAGES, THEMES, UNITS, ZONES } from "../state.ts";
import { type Key, text } from "../texts.ts";
import { choice, icon, toggle } from "./parts.ts";

const ANNOUNCED = [2.5, 3.5, 4.5, 5.5, 6.5, 7.5] as const;
/** Each language by its own name, whatever is spoken now. */
export const LANGUAGE_NAMES = { en: "English", de: "Deutsch" } as const;

export function settings(app: App): TemplateResult {
  const { preferences, format } = app;
  const close = (): void => document.querySelector<HTMLDialogElement>("#settings")?.close();
  const row = (label: string, control: TemplateResult): TemplateResult =>
    html`<div class="setting"><span>${label}</span>${control}</div>`;
  return html`<dialog id="settings" aria-labelledby="settings-title" @click=${(event: Event) => event.target === event.currentTarget && close()}>
    <div class="sheet">
      <header>
        <h2 id="settings-title">${text("settings")}</h2>
        <button type="button" class="quiet" @click=${close} aria-label=${text("close")}>${icon("close")}</button>
      </header>
      ${row(
        text("settings.language"),
        choice(
          text("settings.language"),
          LANGUAGES.map((value) => ({ value, label: LANGUAGE_NAMES[value] })),
          preferences.language,
          (language) => void app.prefer({ language }),
        ),
      )}
      ${row(
        text("settings.theme"),
        choice(
          text("settings.theme"),
          THEMES.map((value) => ({ value, label: text(`theme.${value}`) })),
          preferences.theme,
          (theme) => void app.prefer({ theme }),
        ),
      )}
      <p class="soft small">${text("settings.places")}</p>
      ${row(
        text("settings.zone"),
        choice(
          text("settings.zone"),
          ZONES.map((value) => ({ value, label: text(`zone.${value}`) })),
          preferences.zone,
          (zone) => void app.prefer({ zone }),
        ),
      )}
      ${row(
        text("settings.units"),
        choice(
          text("settings.units"),
          UNITS.map((value) => ({ value, label: text(`units.${value}`) })),
          preferences.units,
          (units) => void app.prefer({ units }),
        ),
      )}
      ${row(
        text("settings.map"),
        choice(
          text("settings.map"),
          DRAWN_BY.map((value) => ({ value, label: text(`drawn.${value}`), hint: text(`drawn.${value}.hint`) })),
          preferences.map,
          (map) => void app.prefer({ map }).then(() => location.reload()), // a map is made once
        ),
      )}
      ${row(
        text("settings.announce"),
        html`<label class="select"
          ><span class="hidden">${text("settings.announce")}</span>
          <select @change=${(event: Event) => void app.prefer({ announce: Number((event.target as HTMLSelectElement).value) })}>
            ${[...new Set([...ANNOUNCED, preferences.announce])]
              .sort((a, b) => a - b)
              .map(
                (m) =>
                  html`<option value=${m} ?selected=${m === preferences.announce}>M ${format.number(m, 1)}</option>`,
              )}
          </select></label
        >`,
      )}
      ${toggle(text("settings.sound"), preferences.sound, (sound) => void app.prefer({ sound }))}
      ${toggle(text("settings.shortcuts"), preferences.shortcuts, (shortcuts) => void app.prefer({ shortcuts }))}
      ${place(app)}
      <details class="keys-help">
        <summary>${text("keys")}</summary>
        <dl>
          ${(["1", "j", "p", "f", "s", "esc", "map"] as const).map((key) => html`<dt>${text(`key.${key}`)}</dt><dd>${text(`key.${key}.what`)}</dd>`)}
        </dl>
      </details>
    </div>
  </dialog>`;
}

const LOCATE_MS = 20_000;
/** Why the browser does not say where it is, by the codes of GeolocationPositionError. */
const WHY: Record<number, Key> = { 1: "place.locate.denied", 2: "place.locate.unknown", 3: "place.locate.late" };
/** How the last question ended. */
let located: Key | null = null;

function say(app: App, what: Key): void {
  located = what;
  app.invalidate();
}

function place(app: App): TemplateResult {
  const save = (event: Event): void => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const [latitude, longitude] = [Number(form.get("latitude")), Number(form.get("longitude"))];
    app.setPlace({ latitude, longitude });
  };
  const locate = (): void => {
    say(app, "place.locate.asking");
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        const round = (value: number): number => Math.round(value * 100) / 100;
        located = "place.locate.found";
        app.setPlace({ latitude: round(coords.latitude), longitude: round(coords.longitude) });
      },
      ({ code }) => say(app, WHY[code] ?? "place.locate.unknown"),
      { timeout: LOCATE_MS, maximumAge: LOCATE_MS },
    );
  };
  return html`<form class="place-form" @submit=${save}>
    <h3>${icon("place")} ${text("place")}</h3>
    <p>${text("place.privacy")}</p>
    <div class="fields">
      <label
        ><span>${text("latitude")}</span
        ><input name="latitude" type="number" required min="-90" max="90" step="any" .value=${String(app.place?.latitude ?? "")}
      /></label>
      <label
        ><span>${text("longitude")}</span
        ><input name="longitude" type="number" required min="-180" max="180" step="any" .value=${String(app.place?.longitude ?? "")}
      /></label>
    </div>
    <div class="line">
      <button class="solid">${text("place.save")}</button>
      ${"geolocation" in navigator && isSecureContext ? html`<button type="button" @click=${locate}>${text("place.locate")}</button>` : ""}
      ${app.place ? html`<button type="button" @click=${() => app.setPlace(null)}>${text("place.forget")}</button>` : ""}
    </div>
    <p role="status" id="located">${located === null ? "" : text(located)}</p>
  </form>`;
}
