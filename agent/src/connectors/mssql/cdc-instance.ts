/** What Change Data Capture keeps of a table: its capture instance, and the LSNs between which changes are there. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SqlChanges } from "@sallyport/shared/schema/operations.ts";
import { TYPES } from "tedious";
import { sameName } from "../../names.ts";
import { ask } from "./ask.ts";
import { type CatalogColumn, type CatalogTable, readColumns } from "./catalog.ts";
import { lsnText } from "./lsn.ts";
import type { Session } from "./session.ts";

export interface CaptureInstance {
  readonly name: string;
  /** Of its change table: one that is made again has another. */
  readonly objectId: number;
  /** The captured columns, as the change table has them. */
  readonly columns: readonly CatalogColumn[];
}

export interface Lsns {
  /** The first LSN whose changes are there. */
  readonly least: string;
  /** The last one that was captured; undefined before the first. */
  readonly most: string | undefined;
  /** By the server's clock. */
  readonly at: Date;
}

const INSTANCES = `SELECT object_id AS id, capture_instance AS name FROM cdc.change_tables
WHERE source_object_id = @id ORDER BY start_lsn DESC, object_id DESC`;
// `fn_cdc_get_min_lsn` gives the same column, but nothing to a login that may not read each captured column of the table.
const LSNS = `SELECT start_lsn AS least, sys.fn_cdc_get_max_lsn() AS most, SYSUTCDATETIME() AS at FROM cdc.change_tables
WHERE object_id = @id`;
const EDITION = "SELECT CAST(SERVERPROPERTY('EngineEdition') AS int) AS edition";
/** Azure SQL Database, where each database keeps its own, and no statement may name another. */
const AZURE = 5;
const JOBS = "SELECT retention AS minutes FROM msdb.dbo.cdc_jobs WHERE database_id = DB_ID() AND job_type = N'cleanup'";
const OWN_JOBS = "SELECT retention AS minutes FROM cdc.cdc_jobs WHERE job_type = N'cleanup'";
/** What `sp_cdc_add_job` sets where nobody says otherwise. */
const DEFAULT_KEPT_MINUTES = 4320;

/** The one that is named; the newest instance of the table without a name. @throws SallyportError `sql.not_tracked`, `sql.permission`. */
export async function findInstance(
  session: Session,
  table: CatalogTable,
  { captureInstance: wanted, timestamps }: Pick<SqlChanges, "captureInstance" | "timestamps">,
  signal: AbortSignal,
): Promise<CaptureInstance> {
  const instances = await instancesOf(session, table, signal);
  const found = instances.find(({ name }) => wanted === undefined || sameName(String(name), wanted));
  if (found === undefined) {
    const name = `${table.schema}.${table.name}`;
    throw new SallyportError("sql.not_tracked", `Change Data Capture is not on for ${name}.`, {
      table: name,
      ...(wanted === undefined ? {} : { captureInstance: wanted }),
    });
  }
  const objectId = Number(found.id);
  const all = [...(await readColumns(session, objectId, timestamps, signal)).values()];
  if (all.length === 0) {
    const table = `cdc.${found.name}_CT`;
    throw new SallyportError("sql.permission", `The login lacks SELECT on ${table}.`, { table, permission: "SELECT" });
  }
  return { name: String(found.name), objectId, columns: all.filter(({ name }) => !name.startsWith("__$")) };
}

async function instancesOf(session: Session, table: CatalogTable, signal: AbortSignal) {
  const parameters = [{ name: "id", type: TYPES.Int, value: table.objectId }];
  try {
    return await ask(session, { sql: INSTANCES, parameters }, signal);
  } catch (error) {
    // Without CDC the database has no such table.
    if (error instanceof SallyportError && error.code === "sql.not_found") return [];
    throw error;
  }
}

/** @throws SallyportError `sql.not_tracked` where the login may not see the instance. */
export async function lsnsOf(
  session: Session,
  { name, objectId }: CaptureInstance,
  signal: AbortSignal,
): Promise<Lsns> {
  const parameters = [{ name: "id", type: TYPES.Int, value: objectId }];
  const [row] = await ask(session, { sql: LSNS, parameters }, signal);
  const least = row?.least instanceof Uint8Array ? lsnText(row.least) : "";
  if (/^0*$/.test(least) || !(row?.at instanceof Date)) {
    throw new SallyportError("sql.not_tracked", `The login may not see the capture instance ${name}.`, {
      captureInstance: name,
    });
  }
  return { least, most: row.most instanceof Uint8Array ? lsnText(row.most) : undefined, at: row.at };
}

/** For how long changes are kept, as far as the login may know. */
export async function keptMinutes(session: Session, signal: AbortSignal): Promise<number> {
  try {
    const [server] = await ask(session, { sql: EDITION, parameters: [] }, signal);
    const sql = Number(server?.edition) === AZURE ? OWN_JOBS : JOBS;
    const [row] = await ask(session, { sql, parameters: [] }, signal);
    return row === undefined ? DEFAULT_KEPT_MINUTES : Number(row.minutes);
  } catch (error) {
    // Whatever the server has against it: a warning is not worth a run. One that went away is told by what comes next.
    if (error instanceof SallyportError && typeof error.detail.number === "number") return DEFAULT_KEPT_MINUTES;
    throw error;
  }
}
