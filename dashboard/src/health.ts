// How the whole of it is, for who runs it: what the consumer says of itself, and which of that wants a person. Pure.

import type { Status } from "./api.ts";

type Consumer = NonNullable<Status["consumer"]>;

/** Where what is to be done stands in the operator's handbook. */
export type Chapter =
  | "stopped"
  | "log"
  | "catalogue"
  | "dead-letters"
  | "republisher"
  | "alerts"
  | "disk"
  | "refused"
  | "silent"
  | "lag"
  | "clock"
  | "source";

export interface Fault {
  chapter: Chapter;
  /** Whom it is of: a partition, a source; empty: the program. */
  of: string;
  /** Its own words, in English: as they stand in the log. */
  reason: string;
}

/** So much room on the disk is little, whatever the disk. */
const LITTLE_BYTES = 1e9;
const LITTLE_PART = 0.05;
/** Records that the consumer may be behind without anybody minding. */
const MUCH_LAG = 10_000;

export const lagOf = (consumer: Consumer): number =>
  Object.values(consumer.lag ?? {}).reduce((sum, one) => sum + one, 0);

/** What wants a person, the worst first. */
export function faultsOf({ consumer, sources }: Pick<Status, "consumer" | "sources">): Fault[] {
  const faults: Fault[] = [];
  const add = (chapter: Chapter, reason: string, of = ""): void => {
    faults.push({ chapter, of, reason });
  };
  if (consumer) {
    for (const [partition, reason] of Object.entries(consumer.stopped ?? {})) add("stopped", reason, partition);
    if (consumer.clock) add("clock", consumer.clock);
    if (consumer.catalogError) add("catalogue", consumer.catalogError);
    if (consumer.log && !consumer.log.reachable) add("log", consumer.logError ?? "");
    else if (consumer.logError) add("log", consumer.logError);
    if (consumer.alerts?.error) add("alerts", consumer.alerts.error);
    if ((consumer.alerts?.unreadable ?? 0) > 0) add("alerts", "", String(consumer.alerts?.unreadable));
    if (consumer.republisher?.error) add("republisher", consumer.republisher.error);
    const { disk } = consumer;
    if (disk && (disk.freeBytes < LITTLE_BYTES || disk.freeBytes < LITTLE_PART * disk.totalBytes)) add("disk", "");
    if ((consumer.deadLetters ?? 0) > 0) add("dead-letters", "", String(consumer.deadLetters));
    if (lagOf(consumer) > MUCH_LAG) add("lag", "");
  }
  for (const source of sources) {
    if (source.silentSince) add("silent", "", source.name);
    if (source.lastError) add("source", source.lastError, source.name);
    else if (source.state === "gone") add("source", "", source.name);
    if (source.refused) add("refused", source.lastRefused?.reason ?? "", source.name);
  }
  return faults;
}
