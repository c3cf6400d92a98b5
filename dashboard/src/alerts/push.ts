// This browser as a receiver: what stands in the way of Web Push, and how it is subscribed.

import { askPushKey } from "./server.ts";
import type { Target } from "./subscription.ts";

/** `insecure`: browsers allow it on https and localhost alone; `unsupported`: this one has none; `denied`: by its user. */
export type Hindrance = "insecure" | "unsupported" | "denied";

export function hindrance(): Hindrance | null {
  if (!isSecureContext) return "insecure";
  if (!("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)) return "unsupported";
  return Notification.permission === "denied" ? "denied" : null;
}

/** By which this browser is known to its push service; null: it has not subscribed. */
export async function ownEndpoint(): Promise<string | null> {
  return (await ownSubscription())?.endpoint ?? null;
}

/** Ask for permission and subscribe; null: it was not given. The first call must come of a click. */
export async function subscribe(): Promise<Target | null> {
  if ((await Notification.requestPermission()) !== "granted") return null;
  const applicationServerKey = await askPushKey();
  await navigator.serviceWorker.register("sw.js");
  const { pushManager } = await navigator.serviceWorker.ready;
  const wanted = { userVisibleOnly: true, applicationServerKey };
  const made = await pushManager.subscribe(wanted).catch(async (error: unknown) => {
    const before = await pushManager.getSubscription();
    if (before === null) throw error;
    await before.unsubscribe(); // with another server's key, as when the catalogue was made anew
    return pushManager.subscribe(wanted);
  });
  return { channel: "webpush", subscription: made.toJSON() };
}

export async function unsubscribe(): Promise<void> {
  await (await ownSubscription())?.unsubscribe();
}

async function ownSubscription(): Promise<PushSubscription | null> {
  if (hindrance() === "insecure" || hindrance() === "unsupported") return null;
  const registration = await navigator.serviceWorker.getRegistration();
  return (await registration?.pushManager.getSubscription()) ?? null;
}
