// Questions to the consumer about subscriptions. Each carries the key; every answer is waited for with a limit.

import type { Document, Fault, Preview, Subscription, Told } from "./subscription.ts";

const LIMIT_MS = 20_000;
const PAGE = 1000;
const SHOWN = 50;

/** An answer that is no success; `status` 0: there was none. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly faults: readonly Fault[] = [],
  ) {
    super(detail);
  }
}

async function ask<T>(key: string, method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  const answer = await fetch(`api/v1/${path}`, {
    method,
    headers: {
      Accept: "application/json",
      ...(key === "" ? {} : { Authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    },
    body: body === undefined ? null : JSON.stringify(body),
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new Refused(0, String(error));
  });
  if (!answer.ok) {
    const problem = (await answer.json().catch(() => null)) as { detail?: string; faults?: Fault[] } | null;
    throw new Refused(answer.status, problem?.detail ?? answer.statusText, problem?.faults ?? []);
  }
  return (answer.status === 204 ? null : await answer.json()) as T;
}

const at = (id: string, more = ""): string => `subscriptions/${encodeURIComponent(id)}${more}`;

export const askSubscriptions = async (key: string): Promise<Subscription[]> =>
  (await ask<{ subscriptions: Subscription[] }>(key, "GET", `subscriptions?limit=${PAGE}`)).subscriptions;

export const askSubscription = (key: string, id: string): Promise<Subscription> => ask(key, "GET", at(id));

export const putSubscription = (key: string, id: string | null, document: Document): Promise<Subscription> =>
  id === null ? ask(key, "POST", "subscriptions", document) : ask(key, "PUT", at(id), document);

export const removeSubscription = (key: string, id: string): Promise<null> => ask(key, "DELETE", at(id));

export const askPreview = (key: string, document: Document, signal: AbortSignal): Promise<Preview> =>
  ask(key, "POST", "subscriptions/preview", document, signal);

export const askTold = async (key: string, id: string): Promise<Told[]> =>
  (await ask<{ notifications: Told[] }>(key, "GET", at(id, `/notifications?limit=${SHOWN}`))).notifications;

export const sendTest = (key: string, id: string): Promise<unknown> => ask(key, "POST", at(id, "/test"));

export const playDrill = (key: string, id: string, drill: Record<string, number>): Promise<unknown> =>
  ask(key, "POST", at(id, "/drill"), drill);

export const snooze = (key: string, id: string, untilMs: number | null): Promise<Subscription> =>
  ask(key, "POST", at(id, "/snooze"), untilMs === null ? {} : { until_ms: untilMs });

/** The names that a country and a region may have. */
export interface Places {
  countries: { code: string; name: string }[];
  regions: string[];
}

export const askPlaces = (): Promise<Places> => ask("", "GET", "places");

/** What a browser needs to subscribe (VAPID); 404: Web Push is not among the channels. */
export const askPushKey = async (): Promise<string> =>
  (await ask<{ key: string }>("", "GET", "alerts/webpush-key")).key;
