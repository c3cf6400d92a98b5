// Clients of server-sent events as anybody installs them. It ends when its standard input does.
//   node events.mjs eventsource|fetch-event-source URL    prints each event that a listener is called with, as JSON
import { createRequire } from "node:module";
import { EventSource } from "eventsource";

const [client, url] = process.argv.slice(2);
const TYPES = ["message", "live", "gap", "snapshot", "heartbeat", "created", "updated", "merged", "split", "deleted"];
const heard = (type, id, data) => console.log(JSON.stringify({ type, id, data }));

if (client === "eventsource") {
  const source = new EventSource(url);
  for (const type of TYPES) source.addEventListener(type, (e) => heard(e.type, e.lastEventId, e.data));
} else {
  globalThis.window = globalThis; // it is made for browsers
  const { fetchEventSource } = createRequire(import.meta.url)("@microsoft/fetch-event-source");
  const again = () => {
    throw new Error("a stream has no end");
  };
  fetchEventSource(url, {
    openWhenHidden: true,
    onmessage: ({ event, id, data }) => heard(event, id, data),
    onclose: again,
    onerror: () => undefined,
  });
}
process.stdin.resume().on("end", () => process.exit());
