/** What people see of a request: its record, and its result while that is kept. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { RequestView } from "@sallyport/shared/schema/api-requests.ts";
import { type Reply, replyText } from "../access/answer.ts";
import { readWhole } from "../sinks/blob.ts";
import type { RequestRecord } from "../store/requests.ts";
import type { RequestDeps } from "./deps.ts";

const LINK_MS = 10 * 60_000;

/** @throws api.not_found, storage.failed */
export async function showRequest(deps: RequestDeps, tenant: string, id: string): Promise<Reply> {
  const stored = await deps.store.requests.get(tenant, id);
  if (stored === undefined || Date.parse(stored.value.expiresAt) <= deps.now().getTime()) {
    throw new SallyportError("api.not_found", "There is no such request, or it is not kept any more.");
  }
  return answerOf(deps, tenant, id, stored.value, await membersOf(deps, stored.value));
}

/** The members of a result that is kept; nothing where there is none. @throws storage.failed */
export const membersOf = async ({ blobs }: Pick<RequestDeps, "blobs">, { result }: RequestRecord): Promise<string> =>
  result === null ? "" : (await readWhole(blobs, result)).toString("utf8");

/** The record with its result's members. An unfinished one is answered with 202, and where to look. */
export async function answerOf(
  deps: Pick<RequestDeps, "links" | "now">,
  tenant: string,
  id: string,
  record: RequestRecord,
  members: string,
): Promise<Reply> {
  const { connection, operation, state, startedAt, endedAt, rows, bytes, error, suggestion, rowsBlob } = record;
  const expiresAtMs = deps.now().getTime() + LINK_MS;
  const link =
    rowsBlob === null
      ? null
      : { url: await deps.links(rowsBlob, expiresAtMs), expiresAt: new Date(expiresAtMs).toISOString() };
  const keptUntil = record.result === null ? null : record.expiresAt;
  const view = {
    ...{ id, connection, operation, state, startedAt, endedAt, count: rows, bytes, error, suggestion, keptUntil, link },
  } satisfies RequestView;
  const text = JSON.stringify(view);
  const body = members === "" ? text : `${text.slice(0, -1)},${members}}`;
  if (state === "succeeded" || state === "failed") return replyText(body);
  const location = `/api/v1/tenants/${tenant}/requests/${id}`;
  return replyText(body, { status: 202, headers: { location, "retry-after": "5" } });
}
