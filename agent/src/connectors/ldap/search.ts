/** `ad.search`: objects of some classes at or below a base, as rows (docs/connectors/active-directory.md, "Searches"). */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Warning } from "@sallyport/shared/protocol/warnings.ts";
import type { AdSearch } from "@sallyport/shared/schema/directory-operations.ts";
import { attributesOf } from "@sallyport/shared/schema/filter.ts";
import { AndFilter, EqualityFilter, type Filter, OrFilter } from "ldapts";
import { withinOf } from "../../place.ts";
import type { Outcome, Output } from "../connector.ts";
import type { DirectoryGrant } from "../directory-grant.ts";
import { ldapFilter } from "./directory-filter.ts";
import { hostsOf } from "./errors.ts";
import type { Entry } from "./message.ts";
import { searchPages } from "./query.ts";
import { guidOf, isInPieces, readWhole } from "./ranges.ts";
import type { Directory } from "./root-dse.ts";
import { columnsOf, isOfClass, rowWriter } from "./rows.ts";
import { type Selection, select } from "./selection.ts";

type ReadGrant = Extract<DirectoryGrant, { kind: "directoryRead" }>;

export interface Reading {
  readonly directory: Directory;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** A page of objects with photos or certificates would be megabytes. */
const PAGE_SIZE = 500;
const PAGE_SIZE_OF_LARGE = 100;
const OCTETS = "2.5.5.10";
const GUID_OID = "1.2.840.113556.1.4.2";

/** @throws SallyportError */
export async function readSearch(reading: Reading, operation: AdSearch, grant: ReadGrant): Promise<Outcome> {
  const { directory, output, signal } = reading;
  const { connection } = directory;
  const filtered = operation.filter === undefined ? [] : attributesOf(operation.filter);
  const selection = await select(directory, { ...operation, filtered }, grant);
  const names = [...new Set([...selection.attributes.map(({ name }) => name), "objectClass", "objectGUID"])];
  const key = selection.attributes.filter(({ oid }) => oid === GUID_OID).map(({ name }) => name);
  const plan = { to: null, key, isolation: "readCommitted", consistency: "fuzzy" } as const;
  const batch = await output.schema(columnsOf(selection, operation.timestamps), plan);
  const write = rowWriter(selection, batch, operation.timestamps);
  const isWithin = withinOf(selection.base);
  const put = (entry: Entry): void => {
    // What lies outside is not shown, whatever the directory answers.
    if (!isWithin(entry.dn))
      throw new SallyportError("directory.protocol", "The directory gave an object of elsewhere.");
    if (!isOfClass(entry, selection.classes)) return;
    write(entry);
  };

  const elsewhere: string[] = [];
  const references = (urls: readonly string[]): void => {
    if (elsewhere.length < MAX_REFERENCES) elsewhere.push(...urls.filter((url) => !isHere(url, directory)));
  };
  const query = {
    ...{ base: selection.base, scope: operation.scope, attributes: names },
    filter: filterOf(operation, selection),
  };
  // Their rest is asked for once the search is over: a connection serves one request at a time.
  const inPieces: string[] = [];
  for await (const entries of searchPages(connection, query, pageSizeFor(selection), { references })) {
    for (const entry of entries) {
      signal.throwIfAborted();
      if (isInPieces(entry)) inPieces.push(nameOf(entry));
      else put(entry);
      if (batch.full) await output.flush();
    }
  }
  for (const guid of inPieces) {
    const entry = await readWhole(connection, guid, names);
    // One that was deleted or moved meanwhile is as if it had never been found.
    if (entry !== undefined && isWithin(entry.dn)) put(entry);
    if (batch.full) await output.flush();
  }
  await output.flush();
  const warnings: Warning[] = [...selection.warnings];
  if (elsewhere.length > 0) warnings.push({ code: "directory.elsewhere", facts: { hosts: hostsOf(elsewhere) } });
  return { complete: true, warnings };
}

function nameOf(entry: Entry): string {
  const guid = guidOf(entry);
  if (guid !== undefined) return guid;
  throw new SallyportError("directory.permission", "The login may not see an object's GUID.");
}

const MAX_REFERENCES = 256;

const pageSizeFor = ({ attributes }: Selection): number =>
  attributes.some(({ syntax, oid }) => syntax === OCTETS && oid !== GUID_OID) ? PAGE_SIZE_OF_LARGE : PAGE_SIZE;

/** Of the classes, and what else is asked for. Which of them an object is of itself no filter can say. */
function filterOf({ filter }: AdSearch, { classes, types }: Selection): Filter {
  const each = [...classes].map((value) => new EqualityFilter({ attribute: "objectClass", value }));
  const ofClass = each.length === 1 ? each[0]! : new OrFilter({ filters: each });
  return filter === undefined ? ofClass : new AndFilter({ filters: [ofClass, ldapFilter(filter, types)] });
}

/** A naming context of this very controller, of which a search of the domain never takes the others along. */
function isHere(url: string, { root }: Directory): boolean {
  const dn = /^ldaps?:\/\/[^/]*\/([^?]*)/i.exec(url)?.[1] ?? "";
  try {
    const name = decodeURIComponent(dn).toLowerCase();
    return root.namingContexts.some((context) => context.toLowerCase() === name);
  } catch {
    return false;
  }
}
