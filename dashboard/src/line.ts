// A tab's line to the change feed. Browsers open no more than six connections to a site over HTTP/1.1, so all tabs share
// one: in a SharedWorker where there is one; else in the tab that holds a lock, which the others hear over a channel. A
// tab that leads and is closed or stands still is followed by another; each goes on from its own place.

import { Stream, type Wish, type Word } from "./stream.ts";
import { type Asked, type Reply, Switchboard } from "./switchboard.ts";

/** Who is heard every 5 s at the least, and was not for so long, is asked how it stands. */
const SILENT_MS = 11_000;
/** So long an answer is waited for. */
const ANSWER_MS = 1_500;
const LOOK_MS = 500;
/** How often a tab says that it is here, at most. */
const HERE_MS = 2_000;

export interface Line {
  /** Be told what follows this place; again: from another one. */
  join(wish: Wish, hear: (word: Word) => void): void;
  leave(): void;
  /** Try again at once; how it stands is told. */
  hurry(): void;
}

/** The best line that this browser has to the stream at this address. */
export function openLine(url: string): Line {
  return sharedLine(url) ?? ledLine(url) ?? ownLine(url);
}

export function ownLine(url: string): Line {
  const stream = new Stream(url);
  return {
    join: (wish, hear) => stream.join("", wish, hear),
    leave: () => stream.leave(""),
    hurry: () => stream.hurry(""),
  };
}

/** One end of a line whose other end is a switchboard. */
class Remote implements Line {
  #joined: { wish: Wish; hear: (word: Word) => void } | null = null;
  #heardMs = 0;
  #askedMs: number | null = null;
  #hereMs = 0;

  /** `post`: to the switchboard. `lost`: it does not answer any more. */
  constructor(
    private readonly post: (asked: Asked) => void,
    private readonly lost: () => void,
  ) {
    setInterval(() => this.#look(), LOOK_MS);
    // A page that stands still takes no words: they would wait for it without end.
    const still = (): void => {
      if (this.#joined !== null) this.post({ ask: "leave" });
    };
    document.addEventListener("freeze", still);
    document.addEventListener("resume", () => this.again());
    addEventListener("pagehide", still);
    addEventListener("pageshow", (event) => event.persisted && this.again());
  }

  get joined(): { wish: Wish; hear: (word: Word) => void } | null {
    return this.#joined;
  }

  join(wish: Wish, hear: (word: Word) => void): void {
    this.#joined = { wish: { ...wish }, hear };
    this.again();
  }

  /** Join once more, from where one is. */
  again(): void {
    if (this.#joined === null) return;
    this.#heardMs = this.#askedMs = Date.now();
    this.post({ ask: "join", wish: this.#joined.wish });
  }

  leave(): void {
    this.#joined = null;
    this.post({ ask: "leave" });
  }

  hurry(): void {
    if (this.#joined === null) return;
    this.#askedMs ??= Date.now();
    this.post({ ask: "hurry" });
  }

  receive(word: Reply): void {
    const now = Date.now();
    this.#heardMs = now;
    this.#askedMs = null;
    if (this.#joined === null) return;
    if (word.what === "unknown") {
      this.again();
      return;
    }
    if (now - this.#hereMs > HERE_MS) {
      this.#hereMs = now;
      this.post({ ask: "here" });
    }
    const { wish, hear } = this.#joined;
    if (word.what === "changes") {
      if (word.place.epoch !== wish.epoch || word.place.seq <= wish.seq) return; // meant for where it was before
      wish.seq = word.place.seq;
    }
    hear(word);
  }

  #look(): void {
    if (this.#joined === null) return;
    const now = Date.now();
    if (this.#askedMs !== null && now - this.#askedMs > ANSWER_MS) {
      this.#askedMs = null;
      this.lost();
    } else if (now - this.#heardMs > SILENT_MS) {
      this.#heardMs = now;
      this.hurry();
    }
  }
}

function sharedLine(url: string): Line | null {
  if (typeof SharedWorker === "undefined") return null;
  let port: MessagePort;
  try {
    // Its name says which stream it is for: below one origin there may be several.
    port = new SharedWorker(new URL("./streaming.ts", import.meta.url), { type: "module", name: url }).port;
  } catch {
    return null; // forbidden, as in some private windows
  }
  let own: Line | null = null;
  const remote = new Remote(
    (asked) => port.postMessage(asked),
    () => {
      // The worker does not run, or has come to an end: this tab goes on by itself.
      const joined = remote.joined;
      if (joined === null) return;
      remote.leave();
      own = ownLine(url);
      own.join(joined.wish, joined.hear);
    },
  );
  port.onmessage = ({ data }: MessageEvent<Reply>) => own === null && remote.receive(data);
  return {
    join: (wish, hear) => (own ?? remote).join(wish, hear),
    leave: () => (own ?? remote).leave(),
    hurry: () => (own ?? remote).hurry(),
  };
}

/** What goes over the channel: a question of a tab, a word for one, or that this one leads now. */
type Said = { from: string; asked: Asked } | { to: string; word: Reply } | { leads: string };

export function ledLine(url: string): Line | null {
  if (typeof BroadcastChannel === "undefined" || !navigator.locks) return null;
  const me = crypto.randomUUID();
  const name = `quakestream ${url}`;
  const channel = new BroadcastChannel(name);
  let board: Switchboard | null = null;
  let queued = new AbortController();
  let letGo: () => void = () => undefined;
  const say = (said: Said): void => channel.postMessage(said);

  const remote = new Remote(
    (asked) => {
      // A moment later, as over the channel: nobody is told anything while it asks.
      if (board) queueMicrotask(() => board?.heard(me, asked, (word) => remote.receive(word)));
      else say({ from: me, asked });
    },
    () => {
      if (board === null) contend(true); // it leads no more, whatever it believes
    },
  );
  channel.onmessage = ({ data }: MessageEvent<Said>) => {
    if ("to" in data) {
      if (data.to === me && board === null) remote.receive(data.word);
    } else if ("leads" in data) {
      if (board === null) remote.again();
    } else {
      board?.heard(data.from, data.asked, (word) => say({ to: data.from, word }));
    }
  };

  const lead = (): Promise<void> => {
    board = new Switchboard(new Stream(url));
    remote.again();
    say({ leads: me });
    return new Promise((resolve) => {
      letGo = resolve;
    });
  };
  const follow = (): void => {
    board?.close();
    board = null;
  };
  /** Lead as soon as nobody else does; `steal`: at once. */
  const contend = (steal: boolean): void => {
    queued.abort();
    queued = new AbortController();
    const how = steal ? { steal } : { signal: queued.signal };
    navigator.locks.request(name, how, lead).then(follow, (error: unknown) => {
      const wasLeading = board !== null;
      follow();
      if (wasLeading) {
        contend(false); // another took it: this one stood still for too long
        remote.again();
      } else if (!(error instanceof DOMException && error.name === "AbortError")) contend(false);
    });
  };
  const stepDown = (): void => {
    queued.abort();
    follow();
    letGo();
  };
  document.addEventListener("freeze", stepDown);
  document.addEventListener("resume", () => contend(false));
  addEventListener("pagehide", stepDown);
  addEventListener("pageshow", (event) => event.persisted && contend(false));
  contend(false);
  return remote;
}
