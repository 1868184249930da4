/** The rows of a change table between two LSNs, in slices of whole transactions. */
import type { RowBatch } from "@sallyport/shared/rows/columns.ts";
import { TYPES } from "tedious";
import type { Outcome } from "../connector.ts";
import { ask } from "./ask.ts";
import type { CatalogColumn } from "./catalog.ts";
import { type CaptureInstance, lsnsOf } from "./cdc-instance.ts";
import { lost } from "./change-watermark.ts";
import { createPump } from "./flow.ts";
import { lsnAfter, lsnBytes, lsnText } from "./lsn.ts";
import { positionText } from "./position.ts";
import { sinksOf, type Work } from "./slices.ts";
import { type Parameter, quoteName, quoteTable, type Statement } from "./statement.ts";
import { type RowFlow, streamRows } from "./stream.ts";

export interface CdcRead {
  readonly instance: CaptureInstance;
  /** The operation's column first. */
  readonly columns: readonly CatalogColumn[];
  /** LSNs: after the one, up to the other. */
  readonly after: string;
  readonly to: string;
}

/** The order of changes: transactions, commands in them, changes of a command, and before an update what was there. */
const ORDER = "[__$start_lsn], [__$command_id], [__$seqval], [__$operation]";

/** 1 delete, 2 insert, 3 and 4 a row before and after an update. */
export const CDC_OPERATION =
  "CASE [__$operation] WHEN 1 THEN 'delete' WHEN 2 THEN 'insert' WHEN 3 THEN 'before' ELSE 'update' END";

/** @throws SallyportError; `sql.watermark_lost` when changes were cleaned up while they were read. */
export async function readCaptured(work: Work, read: CdcRead, batch: RowBatch): Promise<Outcome> {
  const { session, output, pace, signal } = work;
  const pump = createPump(output, batch, pace, undefined);
  const flow: RowFlow = {
    columns: async (wire, guard) =>
      sinksOf({ read: { emitted: read.columns, unseen: [], order: [] }, batch, limits: work.limits }, wire, guard),
    row: () => pump.row(),
    drain: () => pump.drain(),
  };
  let after = read.after;
  try {
    for (;;) {
      const end = await sliceEnd(work, read, after);
      if (end === undefined) return { complete: true, position: positionText({ lsn: read.to }) };
      await streamRows(session, rowsBetween(read, after, end), flow, pace.idleMs, signal);
      await pump.finish();
      const { least } = await lsnsOf(session, read.instance, signal);
      if (least > lsnAfter(after)) lost("the server cleaned them up meanwhile", { position: after, minimum: least });
      after = end;
      const position = positionText({ lsn: after });
      if ((await output.checkpoint(position)) === "stop") return { complete: false, position };
    }
  } finally {
    pump.close();
  }
}

const changesOf = ({ name }: CaptureInstance): string => quoteTable({ schema: "cdc", name: `${name}_CT` });
const lsn = (name: string, value: string): Parameter => ({
  ...{ name, type: TYPES.Binary, length: 10 },
  value: lsnBytes(value),
});

/** The LSN at which a slice ends: of the row that fills it, or the last one; undefined where nothing is left. */
async function sliceEnd({ session, pace, signal }: Work, read: CdcRead, after: string): Promise<string | undefined> {
  const sql = `SELECT MAX(s.[lsn]) AS [last] FROM (SELECT TOP (@n) [__$start_lsn] AS [lsn] FROM ${changesOf(read.instance)}
WHERE [__$start_lsn] > @after AND [__$start_lsn] <= @to ORDER BY [__$start_lsn]) AS s`;
  const n: Parameter = { name: "n", type: TYPES.Int, value: pace.sliceRows };
  const [row] = await ask(session, { sql, parameters: [n, lsn("after", after), lsn("to", read.to)] }, signal);
  return row?.last instanceof Uint8Array ? lsnText(row.last) : undefined;
}

function rowsBetween({ instance, columns }: CdcRead, after: string, to: string): Statement {
  const list = columns.map(({ name, expression }) =>
    expression === undefined ? quoteName(name) : `${expression} AS ${quoteName(name)}`,
  );
  return {
    sql: `SELECT ${list.join(", ")} FROM ${changesOf(instance)} WHERE [__$start_lsn] > @after AND [__$start_lsn] <= @to ORDER BY ${ORDER}`,
    parameters: [lsn("after", after), lsn("to", to)],
  };
}
