/** `ad.changes`: what changed under a base, each object by its GUID (docs/connectors/active-directory.md, "Changes"). */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Warning } from "@sallyport/shared/protocol/warnings.ts";
import type { RowBatch } from "@sallyport/shared/rows/columns.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import type { AdChanges } from "@sallyport/shared/schema/directory-operations.ts";
import { CHANGE_COLUMN, type Plan } from "@sallyport/shared/schema/operations.ts";
import { AndFilter, EqualityFilter, type Filter, OrFilter } from "ldapts";
import { withinOf } from "../../../place.ts";
import type { Outcome } from "../../connector.ts";
import type { DirectoryGrant } from "../../directory-grant.ts";
import type { TimestampForm } from "../column-type.ts";
import { attributeOf, type Entry } from "../message.ts";
import { searchPages } from "../query.ts";
import { guidOf, isInPieces, readWhole } from "../ranges.ts";
import { columnsOf, isOfClass, rowWriter } from "../rows.ts";
import type { Reading } from "../search.ts";
import { type Selection, select } from "../selection.ts";
import { guidBytes } from "../sid.ts";
import { type Found, findChanges } from "./find.ts";
import { parseWatermark, placeOf, watermarkText } from "./watermark.ts";

type ReadGrant = Extract<DirectoryGrant, { kind: "directoryRead" }>;
/**
 * `update` sets a row, whether or not it was there. A run with `present` or `kept` names all that there is: what it does not
 * name is gone. `kept` is as it was, and only its GUID is told.
 */
type Happened = "insert" | "update" | "delete" | "present" | "kept";

const GUID_OID = "1.2.840.113556.1.4.2";
const PAGE_SIZE = 500;
/** GUIDs in one filter. */
const AT_ONCE = 100;

/** @throws SallyportError */
export async function readChanges(reading: Reading, operation: AdChanges, grant: ReadGrant): Promise<Outcome> {
  const { directory, output } = reading;
  // Of a backfill, which reads everything as it is.
  if (operation.to !== undefined && operation.from !== undefined) {
    throw new SallyportError("request.invalid", "Changes have no upper bound but now: leave `to` out.", {
      field: "operation.to",
    });
  }
  const selection = await select(directory, { ...operation, filtered: [] }, grant);
  const key = keyOf(selection);
  const filter = ofClasses(selection);
  const found = await findChanges({
    ...{ directory, base: selection.base, filter, place: placeOf(selection.base, selection.classes) },
    ...{ attributes: selection.attributes.map(({ name }) => name), by: operation.by, reconcile: operation.reconcile },
    since: operation.from === undefined ? undefined : parseWatermark(operation.from),
  });
  refuseTooMany(found, operation);
  // A run's later session reads to an end that is no earlier: what is between comes again.
  const to = operation.plan?.to ?? operation.to ?? watermarkText(found.next);
  if (to === undefined)
    throw new SallyportError(
      "directory.unsupported",
      "The directory's cookie is too long to keep: read with `by: usn`.",
    );
  const plan: Plan = { to, key: [key], isolation: "readCommitted", consistency: "fuzzy" };
  const operationColumn: Column = { name: CHANGE_COLUMN, type: { kind: "utf8" }, nullable: false, source: "change" };
  const batch = await output.schema([operationColumn, ...columnsOf(selection, operation.timestamps)], plan);
  const rows = changeRows(reading, selection, batch, key, operation.timestamps);
  const filterOfAll = { base: selection.base, filter };
  if (found.changed === undefined) {
    await readEach(reading, selection, filterOfAll, (entry) =>
      rows.set(found.kind === "first" ? "insert" : "present", entry),
    );
  } else {
    await readChanged(reading, selection, filterOfAll, found.changed, (entry) => rows.set("update", entry));
    for (const guid of [...found.gone, ...found.passed]) await rows.name("delete", guid);
    for (const guid of found.present ?? []) if (!rows.told.has(guid)) await rows.name("kept", guid);
  }
  await output.flush();
  return { complete: true, warnings: [...selection.warnings, ...warningsOf(found)] };
}

/** Changes are folded by it. */
function keyOf({ attributes }: Selection): string {
  const guid = attributes.find(({ oid }) => oid === GUID_OID);
  if (guid !== undefined) return guid.name;
  throw new SallyportError("request.invalid", "Changes are told by objectGUID: ask for it too.", {
    field: "operation.attributes",
  });
}

function ofClasses({ classes }: Selection): Filter {
  return new OrFilter({
    filters: [...classes].map((value) => new EqualityFilter({ attribute: "objectClass", value })),
  });
}

/** A base that was moved, or rights that were lost, look like everything having been deleted. */
function refuseTooMany({ gone, present, next }: Found, { mostDeletes, from }: AdChanges): void {
  const before = from === undefined ? 0 : parseWatermark(from).objects;
  const deletes = present === undefined ? gone.size : Math.max(before - present.size, 0);
  if (deletes <= mostDeletes) return;
  throw new SallyportError("directory.too_many_deletes", `${deletes} objects would be deleted at once.`, {
    ...{ deletes, mostDeletes, objects: next.objects },
  });
}

const warningsOf = ({ kind, why, next }: Found): Warning[] => [
  ...(why === undefined ? [] : [{ code: "directory.changes_by", facts: { kind, by: next.by, why } } as const]),
  ...(kind === "reconcile" ? [{ code: "directory.reconciled", facts: { objects: next.objects } } as const] : []),
];

interface ChangeRows {
  /** GUIDs that a row was told of. */
  readonly told: ReadonlySet<string>;
  set(happened: Happened, entry: Entry): Promise<void>;
  /** A row of which only the GUID is told. */
  name(happened: Happened, guid: string): Promise<void>;
}

function changeRows(
  { output }: Reading,
  selection: Selection,
  batch: RowBatch,
  key: string,
  timestamps: TimestampForm,
): ChangeRows {
  const [happening, ...columns] = batch.columns;
  const write = rowWriter(selection, { columns, rowDone: () => batch.rowDone() }, timestamps);
  const told = new Set<string>();
  const done = async (): Promise<void> => {
    if (batch.full) await output.flush();
  };
  return {
    told,
    async set(happened, entry) {
      told.add(guidOf(entry) ?? "");
      happening!.appendString(happened);
      write(entry);
      await done();
    },
    async name(happened, guid) {
      happening!.appendString(happened);
      write({ dn: "", attributes: [attributeOf(key, [guidBytes(guid)])] });
      await done();
    },
  };
}

interface Where {
  readonly base: string;
  readonly filter: Filter;
}

/** Every object of the classes there, whole. */
async function readEach(
  { directory, signal }: Reading,
  selection: Selection,
  where: Where,
  put: (entry: Entry) => Promise<void>,
): Promise<void> {
  const isWithin = withinOf(selection.base);
  const names = [...new Set([...selection.attributes.map(({ name }) => name), "objectClass", "objectGUID"])];
  const take = async (entry: Entry): Promise<void> => {
    signal.throwIfAborted();
    if (isWithin(entry.dn) && isOfClass(entry, selection.classes)) await put(entry);
  };
  const inPieces: string[] = [];
  const query = { ...where, scope: "subtree", attributes: names } as const;
  for await (const entries of searchPages(directory.connection, query, PAGE_SIZE)) {
    for (const entry of entries) {
      if (!isInPieces(entry)) await take(entry);
      else inPieces.push(guidOf(entry) ?? "");
    }
  }
  for (const guid of inPieces) {
    const entry = await readWhole(directory.connection, guid, names);
    if (entry !== undefined) await take(entry);
  }
}

/** Those of these GUIDs. One that is not there any more comes as a deletion with the next run. */
async function readChanged(
  reading: Reading,
  selection: Selection,
  { base, filter }: Where,
  guids: ReadonlySet<string>,
  put: (entry: Entry) => Promise<void>,
): Promise<void> {
  const all = [...guids];
  for (let at = 0; at < all.length; at += AT_ONCE) {
    const each = all
      .slice(at, at + AT_ONCE)
      .map((guid) => new EqualityFilter({ attribute: "objectGUID", value: guidBytes(guid) }));
    const these = new AndFilter({ filters: [filter, new OrFilter({ filters: each })] });
    await readEach(reading, selection, { base, filter: these }, put);
  }
}
