// The service worker: shows what is pushed, and opens the page where somebody clicks on it. It keeps and fetches nothing.

import { notice } from "./notice.ts";
import texts from "./texts.json";

declare const self: ServiceWorkerGlobalScope;

const words = navigator.language.startsWith("de") ? texts.de : texts.en;

self.addEventListener("install", () => void self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  let data: unknown = null;
  try {
    data = event.data?.json() ?? null;
  } catch {
    // `notice` says that it can't be read
  }
  const { title, body, tag, stays, address } = notice(data, words.unreadable);
  event.waitUntil(show(title, { body, tag, requireInteraction: stays, data: { address } }));
});

// Whoever has the key must tell the server: a worker has none.
self.addEventListener("pushsubscriptionchange", (event) => {
  (event as ExtendableEvent).waitUntil(
    show("Quakestream", { body: words.renew, requireInteraction: true, data: { address: "?view=alerts" } }),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { address } = event.notification.data as { address: string };
  event.waitUntil(open(new URL(address, self.registration.scope).href));
});

/** A newer one of the same earthquake takes the older one's place, and is heard. */
function show(title: string, options: NotificationOptions): Promise<void> {
  const renotify = Boolean(options.tag);
  const all = { ...options, renotify, icon: new URL("icon.svg", self.registration.scope).href };
  return self.registration.showNotification(title, all as NotificationOptions);
}

/** In a page that is open already, where there is one. */
async function open(address: string): Promise<void> {
  const [page] = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (page === undefined) {
    await self.clients.openWindow(address);
    return;
  }
  page.postMessage({ go: new URL(address).search });
  await page.focus();
}
