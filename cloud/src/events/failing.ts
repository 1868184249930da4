/** What people see of a webhook's health: since when it fails, and why. Written when that changes, not for each delivery. */
import type { DeliveryFailure } from "@sallyport/shared/schema/events.ts";
import type { Keyed } from "../store/keyed.ts";
import type { Stored } from "../store/record.ts";
import type { Webhook } from "../store/webhooks.ts";

/** Null: it was delivered. */
export type Note = (failure: DeliveryFailure | null) => Promise<void>;

/** What loses against another writer is noted by a later delivery. */
export function noteTaker(webhooks: Keyed<Webhook>, read: Stored<Webhook>): Note {
  let stored = read;
  return async (failure) => {
    const { failing } = stored.value;
    if (failure === null ? failing === null : failing?.last.code === failure.code) return;
    const next = failure && { since: failing?.since ?? failure.at, last: failure };
    const written = await webhooks.update(stored, { ...stored.value, failing: next });
    stored = written ?? (await webhooks.get(stored.row.partition, stored.row.row)) ?? stored;
  };
}
