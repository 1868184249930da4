/** Changes by update sequence numbers, for a directory without DirSync: what stands under the base with a higher one. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { AndFilter, type Filter, GreaterThanEqualsFilter } from "ldapts";
import { textsOf } from "../attribute-types.ts";
import type { Connection } from "../connection.ts";
import { findOne, searchAll } from "../query.ts";
import { guidOf } from "../ranges.ts";
import { guidText } from "../sid.ts";

const PAGE_SIZE = 1000;

export interface UpdateNumbers {
  /** Of this controller's database, as it is since it was last restored. */
  readonly invocation: string;
  readonly highest: bigint;
}

/** @throws SallyportError `directory.unsupported` where the login may not see them */
export async function updateNumbers(connection: Connection): Promise<UpdateNumbers> {
  const attributes = ["dsServiceName", "highestCommittedUSN"];
  const root = await findOne(connection, { base: "", scope: "base", attributes });
  const service = textsOf(root, "dsServiceName")[0];
  const highest = textsOf(root, "highestCommittedUSN")[0] ?? "";
  const settings =
    service === undefined
      ? undefined
      : await findOne(connection, { base: service, scope: "base", attributes: ["invocationId"] });
  const id = settings?.attributes.find(({ name }) => name.toLowerCase() === "invocationid")?.values[0];
  const invocation = id === undefined ? undefined : guidText(id);
  if (invocation === undefined || !/^[0-9]{1,19}$/.test(highest)) {
    throw new SallyportError("directory.unsupported", "The controller does not show its update sequence numbers.");
  }
  return { invocation, highest: BigInt(highest) };
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
