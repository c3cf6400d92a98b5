// The SharedWorker that holds the one connection for all tabs. Its name is the stream's address.

import { Stream } from "./stream.ts";
import { type Asked, Switchboard } from "./switchboard.ts";

interface Scope {
  name: string;
  onconnect: ((event: MessageEvent) => void) | null;
}

const scope = self as unknown as Scope;
const board = new Switchboard(new Stream(scope.name));
let tabs = 0;

scope.onconnect = ({ ports }) => {
  const [port] = ports;
  if (!port) return;
  const name = String(tabs++);
  port.onmessage = ({ data }: MessageEvent<Asked>) => board.heard(name, data, (word) => port.postMessage(word));
};
