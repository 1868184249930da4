/** What a reported head says of an agent's journal: it only grows, and what is known of it stays in it. Pure. */
import type { tokenBody } from "@sallyport/shared/schema/api.ts";
import type { z } from "zod";

type Report = Pick<z.infer<typeof tokenBody>, "journal" | "known">;
type Head = NonNullable<Report["journal"]>;

export interface HeadVerdict {
  /** Somebody cut the journal, or wrote it anew. */
  readonly altered: boolean;
  /** The head that the next report is held against. */
  readonly keep: Head | null;
}

/**
 * A head that is further on may be of another chain, so it is kept only once the agent has shown that the known line is
 * still in its journal, as it was: what it was told with the last answer, it says of that line with the next request. Until
 * then the known head stays. One that was altered is told of once, and what it is now is held on to.
 */
export function compareHeads(known: Head | null, { journal, known: shown }: Report): HeadVerdict {
  if (known === null) return { altered: false, keep: journal };
  if (journal === null || journal.seq < known.seq) return { altered: true, keep: journal };
  if (journal.seq === known.seq) return { altered: journal.hash !== known.hash, keep: journal };
  if (shown?.seq !== known.seq) return { altered: false, keep: known };
  return { altered: shown.hash !== known.hash, keep: journal };
}
