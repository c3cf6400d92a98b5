// Server-sent events, as the WHATWG HTML standard has them (9.2.6). The browser's EventSource hides two things that this
// page needs: that a connection is alive (comments) and why one was refused.

export interface ServerEvent {
  event: string;
  /** null: a block without data; this server sends none. */
  data: string | null;
  /** The last id seen, in this block or before it. */
  id: string;
}

export class EventParser {
  #rest = "";
  #event = "";
  #data: string[] = [];
  #id = "";
  #filled = false;

  /** The events that this piece of the stream completes. */
  feed(piece: string): ServerEvent[] {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    const events: ServerEvent[] = [];
    for (const line of lines) {
      if (line === "") {
        if (this.#filled) {
          const data = this.#data.length > 0 ? this.#data.join("\n") : null;
          events.push({ event: this.#event || "message", data, id: this.#id });
        }
        [this.#event, this.#data, this.#filled] = ["", [], false];
      } else if (!line.startsWith(":")) {
        this.#field(line);
      }
    }
    return events;
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id") this.#id = value;
    this.#filled = true;
  }
}
