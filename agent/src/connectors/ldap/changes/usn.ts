/** Changes by update sequence numbers, for a directory without DirSync: what stands under the base with a higher one. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { AndFilter, type Filter, GreaterThanEqualsFilter } from "ldapts";
import { textsOf } from "../attribute-types.ts";
import type { Connection } from "../connection.ts";
import type { Entry } from "../message.ts";
import { findOne, searchAll } from "../query.ts";
import { guidOf } from "../ranges.ts";
import { guidText } from "../sid.ts";
import type { UpdateNumbers } from "./watermark.ts";

const PAGE_SIZE = 1000;

/** Undefined where the login may not see them. @throws SallyportError */
export async function numbersShown(connection: Connection): Promise<UpdateNumbers | undefined> {
  const attributes = ["dsServiceName", "highestCommittedUSN"];
  const root = await findOne(connection, { base: "", scope: "base", attributes });
  const service = textsOf(root, "dsServiceName")[0];
  const highest = textsOf(root, "highestCommittedUSN")[0] ?? "";
  const settings = service === undefined ? undefined : await shown(connection, service);
  const id = settings?.attributes.find(({ name }) => name.toLowerCase() === "invocationid")?.values[0];
  const invocation = id === undefined ? undefined : guidText(id);
  if (invocation === undefined || !/^[0-9]{1,19}$/.test(highest)) return undefined;
  return { invocation, usn: BigInt(highest) };
}

async function shown(connection: Connection, base: string): Promise<Entry | undefined> {
  try {
    return await findOne(connection, { base, scope: "base", attributes: ["invocationId"] });
  } catch (error) {
    if (error instanceof SallyportError && error.code === "directory.not_found") return undefined;
    throw error;
  }
}

/** @throws SallyportError `directory.unsupported` where the login may not see them */
export async function updateNumbers(connection: Connection): Promise<UpdateNumbers> {
  const numbers = await numbersShown(connection);
  if (numbers !== undefined) return numbers;
  throw new SallyportError("directory.unsupported", "The controller does not show its update sequence numbers.");
}

/** GUIDs of what changed after `usn`, and of all that stands there. @throws SallyportError */
export async function changedSince(
  connection: Connection,
  base: string,
  filter: Filter,
  usn: bigint,
): Promise<Set<string>> {
  const newer = new GreaterThanEqualsFilter({ attribute: "uSNChanged", value: String(usn + 1n) });
  return guidsOf(connection, base, new AndFilter({ filters: [filter, newer] }));
}

export async function guidsOf(connection: Connection, base: string, filter: Filter): Promise<Set<string>> {
  const guids = new Set<string>();
  const query = { base, scope: "subtree", filter, attributes: ["objectGUID"] } as const;
  for await (const entry of searchAll(connection, query, PAGE_SIZE)) {
    const guid = guidOf(entry);
    if (guid === undefined) throw new SallyportError("directory.permission", "The login may not see objects' GUIDs.");
    guids.add(guid);
  }
  return guids;
}
