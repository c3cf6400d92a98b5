// What a made-up earthquake would do: nothing is stored, and nobody is told.

import { html, nothing, type TemplateResult } from "lit-html";
import { askScenario, type Exposure, Refused } from "../api.ts";
import type { App } from "../app.ts";
import { text } from "../texts.ts";
import { people } from "./exposure.ts";

interface Asked {
  magnitude: number;
  latitude: number;
  longitude: number;
  depthkm: number;
}

let asked: Asked = { magnitude: 7, latitude: 35.6, longitude: 139.8, depthkm: 20 };
let found: { asked: Asked; exposure: Exposure } | null = null;
let trouble = "";

export function scenarioView(app: App): TemplateResult {
  const ask = (event: Event): void => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const number = (name: keyof Asked): number => Number(form.get(name));
    asked = {
      magnitude: number("magnitude"),
      latitude: number("latitude"),
      longitude: number("longitude"),
      depthkm: number("depthkm"),
    };
    const wanted = asked;
    askScenario({ ...wanted }).then(
      (exposure) => {
        [found, trouble] = [{ asked: wanted, exposure }, ""];
        app.invalidate();
      },
      (error: unknown) => {
        [found, trouble] = [
          null,
          text(error instanceof Refused && error.status < 500 ? "scenario.refused" : "list.no-answer"),
        ];
        app.invalidate();
      },
    );
  };
  const field = (name: keyof Asked, label: string, least: number, most: number, step: string): TemplateResult =>
    html`<label><span>${label}</span><input name=${name} type="number" required min=${least} max=${most} step=${step} .value=${String(asked[name])} /></label>`;
  return html`<p class="soft">${text("scenario.what")}</p>
    <form @submit=${ask}>
      <div class="fields">
        ${field("magnitude", text("magnitude"), 3, 9.5, "0.1")} ${field("depthkm", text("scenario.depth"), 0, 700, "any")}
        ${field("latitude", text("latitude"), -90, 90, "any")} ${field("longitude", text("longitude"), -180, 180, "any")}
      </div>
      <button class="solid">${text("scenario.ask")}</button>
    </form>
    <div role="status">
      ${trouble === "" ? nothing : html`<p class="error">${trouble}</p>`}
      ${found === null ? nothing : html`<p class="tag drill">${text("scenario.found", { magnitude: app.format.magnitude(found.asked.magnitude), place: app.format.position(found.asked) })}</p>`}
      ${found === null ? nothing : people(app, found.exposure)}
    </div>`;
}
