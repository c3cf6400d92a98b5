// Texts in the reader's language. They stand in messages/*.json, never in code: `text("list.count", { n: 3 })`.

import en from "./messages/en.json";
import { LANGUAGES, type Language } from "./state.ts";

export type Key = keyof typeof en;
type Messages = Record<Key, string>;
type Values = Record<string, string | number>;

let messages: Messages = en;
let plural = new Intl.PluralRules("en");

/** Load a language's texts and speak it from here on. */
export async function speak(language: Language): Promise<void> {
  messages = language === "de" ? ((await import("./messages/de.json")).default satisfies Messages) : en;
  plural = new Intl.PluralRules(language);
}

/** The browser's first language that this page speaks. */
export function preferredLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const found = LANGUAGES.find((language) => tag.toLowerCase().startsWith(language));
    if (found) return found;
  }
  return "en";
}

/** A message with its `{names}` filled in. */
export function text(key: Key, values: Values = {}): string {
  return messages[key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

/** The message `key.one` or `key.other`, by the language's own rule for `n`. */
export function counted(key: PluralKey, n: number, values: Values = {}): string {
  const form: Key = plural.select(n) === "one" ? `${key}.one` : `${key}.other`;
  return text(form, { n, ...values });
}

type PluralKey = Key extends infer K ? (K extends `${infer Stem}.other` ? Stem : never) : never;

/** A message whose key is made from somebody else's word; null where there is none for it. */
export function textIfKnown(key: string): string | null {
  return Object.hasOwn(messages, key) ? messages[key as Key] : null;
}
