// What a push becomes: a notification's title and text. Pure.

/** As the channel `webpush` sends it. */
export interface Push {
  kind: string;
  mode: "actual" | "exercise" | "test";
  title: string;
  body: string;
  /** What a newer one takes the place of. */
  tag: string;
  /** The id of the earthquake that it is about; empty: of none. */
  earthquake?: string;
}

export interface Notice {
  title: string;
  body: string;
  /** Empty: it stands beside all others. */
  tag: string;
  /** It stays until somebody has seen it. */
  stays: boolean;
  /** Where a click leads, beside the page's own address. */
  address: string;
}

/** What is no real event says so before anything else, whatever the message itself says. */
const MARKS = { exercise: "EXERCISE", test: "TEST" } as const;
/** Lines with links are for mails: here a click leads on. */
const LINK = /https?:\/\//;

/** Browsers want every push to be seen: one that can't be read is told of as such. */
export function notice(data: unknown, unreadable: string): Notice {
  const push = data as Partial<Push> | null;
  if (typeof push?.title !== "string" || typeof push.body !== "string") {
    return { title: "Quakestream", body: unreadable, tag: "", stays: false, address: "?view=alerts" };
  }
  const mark = push.mode === "actual" ? "" : MARKS[push.mode ?? "test"];
  const lines = push.body.split("\n").filter((line) => !LINK.test(line));
  const { earthquake } = push;
  return {
    title: mark !== "" && !push.title.includes(mark) ? `${mark}: ${push.title}` : push.title,
    body: lines.join("\n"),
    tag: push.tag ?? "",
    stays: push.mode === "actual" && push.kind !== "test",
    address: earthquake ? `?id=${encodeURIComponent(earthquake)}` : "?view=alerts",
  };
}
