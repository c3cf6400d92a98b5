// Fields of a form whose faults the server names: each is shown beside its field, and read out with it.

import { html, nothing, type TemplateResult } from "lit-html";
import { type Key, text } from "../texts.ts";

export interface Field {
  /** The server's name for it, as `where.latitude`. */
  at: string;
  label: Key;
  value: string;
  set: (value: string) => void;
  type?: string;
  hint?: Key;
  /** Of a list that helps with typing. */
  list?: string;
  wide?: boolean;
  inputmode?: string;
  autocomplete?: string;
}

type Faults = ReadonlyMap<string, string>;

export function field(faults: Faults, one: Field): TemplateResult {
  const id = idOf(one.at);
  const fault = faults.get(one.at);
  return html`<div class="field ${one.wide ? "wide-field" : ""}">
    <label for=${id}>${text(one.label)}</label>
    <input
      id=${id}
      type=${one.type ?? "text"}
      inputmode=${one.inputmode ?? nothing}
      list=${one.list ?? nothing}
      autocomplete=${one.autocomplete ?? "off"}
      .value=${one.value}
      aria-invalid=${fault === undefined ? nothing : "true"}
      aria-describedby=${described(id, one.hint, fault)}
      @input=${(event: Event) => one.set((event.target as HTMLInputElement).value)}
    />
    ${beneath(id, one.hint, fault)}
  </div>`;
}

export function select(
  faults: Faults,
  one: Pick<Field, "at" | "label" | "value" | "set" | "hint" | "wide">,
  options: readonly { value: string; label: string }[],
): TemplateResult {
  const id = idOf(one.at);
  const fault = faults.get(one.at);
  const all = options.some(({ value }) => value === one.value)
    ? options
    : [...options, { value: one.value, label: one.value }];
  return html`<div class="field ${one.wide ? "wide-field" : ""}">
    <label for=${id}>${text(one.label)}</label>
    <select
      id=${id}
      aria-invalid=${fault === undefined ? nothing : "true"}
      aria-describedby=${described(id, one.hint, fault)}
      @change=${(event: Event) => one.set((event.target as HTMLSelectElement).value)}
    >
      ${all.map(({ value, label }) => html`<option value=${value} ?selected=${value === one.value}>${label}</option>`)}
    </select>
    ${beneath(id, one.hint, fault)}
  </div>`;
}

/** Faults of a part that is no single field, as of a channel. */
export function faultOf(faults: Faults, at: string): TemplateResult | typeof nothing {
  const words = [...faults].filter(([name]) => name === at || name.startsWith(`${at}.`)).map(([, why]) => why);
  return words.length > 0 ? html`<p class="fault">${words.join("; ")}</p>` : nothing;
}

/** To the first field at fault, as soon as it is drawn. */
export const focusFault = (): void =>
  void requestAnimationFrame(() => document.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());

const idOf = (at: string): string => `f-${at.replace(/\W+/g, "-")}`;

const described = (id: string, hint: Key | undefined, fault: string | undefined): string | typeof nothing =>
  [hint ? `${id}-hint` : "", fault === undefined ? "" : `${id}-fault`].join(" ").trim() || nothing;

function beneath(id: string, hint: Key | undefined, fault: string | undefined): unknown {
  return [
    hint ? html`<small id=${`${id}-hint`}>${text(hint)}</small>` : nothing,
    fault === undefined ? nothing : html`<p class="fault" id=${`${id}-fault`}>${fault}</p>`,
  ];
}
