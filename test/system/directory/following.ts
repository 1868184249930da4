/** Following changes as a consumer does: runs of `ad.changes`, and what is held after each. */
import type { DirectoryGrant } from "@sallyport/agent/src/connectors/directory-grant.ts";
import { ldapConnector } from "@sallyport/agent/src/connectors/ldap/index.ts";
import type { DirectoryTarget } from "@sallyport/agent/src/connectors/ldap/target.ts";
import { createRecorder } from "@sallyport/agent/src/connectors/mssql/test-output.ts";
import { NEVER_READ_ARCS, NEVER_READ_OIDS } from "@sallyport/agent/src/policy/directory/never.ts";
import type { Warning } from "@sallyport/shared/protocol/warnings.ts";
import { adChanges, adSearch } from "@sallyport/shared/schema/directory-operations.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { ADMINISTRATOR, DC } from "./controller.ts";
import { READER, STAFF } from "./people.ts";

export const ATTRIBUTES: readonly string[] = [
  "objectGUID",
  "sAMAccountName",
  "displayName",
  "department",
  "distinguishedName",
];
export const GRANT: DirectoryGrant = {
  ...{
    kind: "directoryRead",
    rule: "staff",
    bases: [STAFF, DC],
    classes: "*",
    attributes: "*",
    denied: [],
    denials: [],
  },
  neverRead: { oids: NEVER_READ_OIDS, arcs: NEVER_READ_ARCS },
};

export type Row = readonly unknown[];
export interface Ran {
  readonly rows: readonly Row[];
  readonly to: string;
  readonly warnings: readonly Warning[];
}

async function run(target: DirectoryTarget, wish: object, isChanges: boolean): Promise<Ran> {
  const recorder = createRecorder();
  const asked = { base: STAFF, classes: ["user"], attributes: ATTRIBUTES, ...wish };
  const operation = isChanges
    ? adChanges.parse({ op: "ad.changes", mostDeletes: 10_000, ...asked })
    : adSearch.parse({ op: "ad.search", ...asked });
  const forever = new AbortController().signal;
  const outcome = await ldapConnector(target, operation, GRANT, DEFAULT_LIMITS, recorder, forever);
  return { rows: recorder.rows, to: recorder.plan?.to ?? "", warnings: outcome.warnings ?? [] };
}

export const changes = (target: DirectoryTarget, wish: object): Promise<Ran> => run(target, wish, true);

/** What a consumer holds after a run, as docs/connectors/active-directory.md tells it to. */
export function fold(held: ReadonlyMap<string, Row>, { rows }: Ran): Map<string, Row> {
  const next = new Map(held);
  const named = new Set<string>();
  let isWhole = false;
  for (const [happened, ...row] of rows) {
    const guid = String(row[0]);
    named.add(guid);
    isWhole ||= happened === "present" || happened === "kept";
    if (happened === "delete") next.delete(guid);
    else if (happened !== "kept") next.set(guid, row);
  }
  for (const guid of isWhole ? next.keys() : []) if (!named.has(guid)) next.delete(guid);
  return next;
}

export const byGuid = (rows: readonly Row[]): Map<string, Row> => new Map(rows.map((row) => [String(row[0]), row]));
export const sorted = (held: ReadonlyMap<string, Row>): Row[] =>
  [...held.values()].sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));

/** Everybody's rows as a full read gives them, in order of their GUIDs. */
export const everybody = async (target: DirectoryTarget): Promise<Row[]> =>
  sorted(byGuid((await run(target, {}, false)).rows));

/** Ways to follow changes: by which login, how, and what the run says of itself. */
export const WAYS = [
  { name: "DirSync, by a login that sees deletions", user: ADMINISTRATOR, by: "dirSync", reconciles: false },
  { name: "DirSync, by a login that may not see deletions", user: READER, by: "dirSync", reconciles: true },
  { name: "update sequence numbers", user: READER, by: "usn", reconciles: true },
] as const;
