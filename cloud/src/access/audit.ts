/** What was changed by whom: a record before each change, and how it ended after it. Names and ids, never contents. */
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { AuditView } from "@sallyport/shared/schema/api-views.ts";
import { PLATFORM } from "../store/audit.ts";
import { newestFirst } from "../store/ids.ts";
import type { Page, PageRequest } from "../store/keyed.ts";
import type { Store } from "../store/open.ts";

export interface AuditDeps {
  readonly store: Pick<Store, "audit">;
  now(): Date;
  random(bytes: number): Buffer;
}

export interface Change {
  /** null: above tenants. */
  readonly tenant: string | null;
  readonly who: string;
  /** The route's name. */
  readonly what: string;
  readonly on: Readonly<Record<string, string>>;
}

/**
 * Writes the record, then runs the change: what cannot be recorded is not done. @throws what the change throws, and the
 * store's error before it
 */
export async function audited<T>(deps: AuditDeps, change: Change, work: () => Promise<T>): Promise<T> {
  const partition = change.tenant ?? PLATFORM;
  const { who, what, on } = change;
  const at = deps.now();
  const row = newestFirst(at.getTime(), deps.random);
  const record = { at: at.toISOString(), who, what, on, outcome: null };
  if (!(await deps.store.audit.insert(partition, row, record))) throw new Error("two audit records have one name");
  const finish = async (outcome: string): Promise<void> => {
    const stored = await deps.store.audit.get(partition, row);
    if (stored !== undefined) await deps.store.audit.update(stored, { ...record, outcome });
  };
  try {
    const answer = await work();
    // The change is made and recorded; that its end is missing says only that nobody wrote it down.
    await finish("done").catch(() => undefined);
    return answer;
  } catch (thrown) {
    const { code = "api.internal" } = thrown as { code?: ErrorCode };
    await finish(String(code)).catch(() => undefined);
    throw thrown;
  }
}

/** Newest first; `tenant` null for what is above tenants. */
export async function listAudit(
  { store }: Pick<AuditDeps, "store">,
  tenant: string | null,
  page: PageRequest,
): Promise<Page<AuditView>> {
  const { items, next } = await store.audit.page(tenant ?? PLATFORM, page);
  return { items: items.map(({ row, value }) => ({ id: row.row, tenant, ...value })), next };
}
