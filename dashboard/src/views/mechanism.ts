// How the fault moved, as each agency finds: beach balls, with planes and moment.

import { html, nothing, svg, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";
import { preferredFirst, said } from "../ball.ts";
import { type BeachBall, beachBall, type FocalMechanism } from "../beachball.ts";
import { agencyName, type EarthquakeDetail } from "../earthquake.ts";
import { text } from "../texts.ts";

const RADIUS = 44;
const MOST = 8;

/** The mechanisms that can be drawn, the preferred report's first; nothing where there is none. */
export function mechanisms(app: App, detail: EarthquakeDetail): TemplateResult | typeof nothing {
  const found = preferredFirst(detail).flatMap((event) =>
    said(event).map((mechanism) => ({ event, mechanism, ball: beachBall(mechanism, RADIUS) })),
  );
  const drawn = found.flatMap(({ event, mechanism, ball }) =>
    ball ? [figure(app, mechanism.agency || agencyName(event), mechanism, ball)] : [],
  );
  if (drawn.length === 0) return nothing;
  return html`<section>
    <h2>${text("mechanism")}</h2>
    <div class="mechanisms">${drawn.slice(0, MOST)}</div>
    <p class="soft small">${text("mechanism.note")}</p>
  </section>`;
}

function figure(app: App, agency: string, mechanism: FocalMechanism, ball: BeachBall): TemplateResult {
  const { format } = app;
  const { nodalPlanes, momentTensor } = mechanism;
  const planes = [nodalPlanes?.nodalPlane1, nodalPlanes?.nodalPlane2].flatMap((plane) =>
    plane
      ? [
          text("mechanism.planes", {
            strike: format.number(plane.strike, 0),
            dip: format.number(plane.dip, 0),
            rake: format.number(plane.rake, 0),
          }),
        ]
      : [],
  );
  const moment = momentTensor?.scalarMoment;
  const part = momentTensor?.doubleCouple;
  return html`<figure>
    <svg viewBox="-46 -46 92 92" role="img" aria-label=${text("mechanism.drawn", { agency })}>
      <circle r=${RADIUS} class=${ball.dark ? "outwards" : "inwards"} />
      ${ball.caps.map((cap) => svg`<path d=${cap} class=${ball.dark ? "inwards" : "outwards"} />`)}
      <circle r=${RADIUS} class="rim" />
    </svg>
    <figcaption>
      <b>${agency}</b>
      ${planes.map((plane) => html`<span>${plane}</span>`)}
      ${typeof moment === "number" ? html`<span>${text("mechanism.moment", { moment: scientific(app, moment) })}</span>` : nothing}
      ${typeof part === "number" ? html`<span>${text("mechanism.part", { percent: format.number(100 * part, 0) })}</span>` : nothing}
    </figcaption>
  </figure>`;
}

/** `5.0 × 10¹⁷` */
function scientific(app: App, value: number): string {
  const [digits = "", power = ""] = value.toExponential(2).split("e");
  const raised = [...String(Number(power))].map((letter) => (letter === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(letter)]));
  return `${app.format.number(Number(digits), 2)} × 10${raised.join("")}`;
}
