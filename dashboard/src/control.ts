// earthquake-service, asked from this page: how the stream is, and start and stop with the operator's key. The key stays in
// this tab's memory; nothing keeps it.

import { addressOf } from "./service.ts";

const LIMIT_MS = 20_000;

export interface StreamState {
  running: boolean;
  sources: { name: string; state: string }[];
  queue: { used: number; size: number };
  log: { kind: string; reachable: boolean };
}

/** What became of it: done, or why not. `detail`: the server's own words. */
export interface Outcome {
  what: "done" | "key" | "refused" | "away";
  detail: string;
}

/** The recorded week, as an exercise, shifted to now; its last 12 hours in 12 minutes. */
export const EXERCISE = {
  sources: [{ name: "replay", files: ["usgs-week"], speed: 60, playHours: 12, shiftToNow: true, resume: false }],
} as const;

export async function askStream(): Promise<StreamState> {
  const answer = await fetch(`${addressOf()}/earthquake-events/status`, { signal: AbortSignal.timeout(LIMIT_MS) });
  if (!answer.ok) throw new Error(answer.statusText);
  return (await answer.json()) as StreamState;
}

export async function control(what: "start" | "stop", key: string, body?: object): Promise<Outcome> {
  const headers: Record<string, string> = { Accept: "text/plain, application/problem+json" };
  if (key !== "") headers["Authorization"] = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  const asked = {
    method: "POST",
    headers,
    body: body ? JSON.stringify(body) : null,
    signal: AbortSignal.timeout(LIMIT_MS),
  };
  const answer = await fetch(`${addressOf()}/earthquake-events/${what}`, asked).catch(() => null);
  if (answer === null) return { what: "away", detail: "" };
  if (answer.ok) return { what: "done", detail: await answer.text() };
  const problem = (await answer.json().catch(() => null)) as { detail?: string } | null;
  return { what: answer.status === 401 ? "key" : "refused", detail: problem?.detail ?? answer.statusText };
}
