/**
 * The peer of `write`: what one would write without Sallyport. A process that puts rows into the table by `mssql`'s bulk
 * insert, 50,000 at a time. One line of JSON comes in on stdin, one with the outcome goes out.
 */
import { text } from "node:stream/consumers";
import sql from "mssql";
import { z } from "zod";
import { rowOf, TABLE } from "./rows.ts";

const BULK_ROWS = 50_000;

const order = z
  .strictObject({ port: z.int(), password: z.string(), ca: z.string(), rows: z.int() })
  .parse(JSON.parse(await text(process.stdin)));

const startedMs = performance.now();
const pool = await new sql.ConnectionPool({
  server: "localhost",
  port: order.port,
  database: "ERP",
  user: "sa",
  password: order.password,
  options: { encrypt: true, trustServerCertificate: false, cryptoCredentialsDetails: { ca: order.ca } },
  requestTimeout: 600_000,
  pool: { max: 1 },
}).connect();
for (let id = 0; id < order.rows; ) {
  const table = newTable();
  for (const end = Math.min(order.rows, id + BULK_ROWS); id < end; id++) {
    const row = rowOf(id);
    table.rows.add(row.id, new Date(row.ms), row.value, row.quality, row.sensor, row.place);
  }
  await pool.request().bulk(table);
}
const seconds = (performance.now() - startedMs) / 1000;
await pool.close();
const { user, system } = process.cpuUsage();
const peak = process.resourceUsage().maxRSS * 1024;
process.stdout.write(`${JSON.stringify({ seconds, cpu: (user + system) / 1e6, peak })}\n`);

function newTable(): sql.Table {
  const table = new sql.Table(TABLE);
  table.create = false;
  table.columns.add("Id", sql.BigInt, { nullable: false });
  table.columns.add("MeasuredAt", sql.DateTime2(7), { nullable: false });
  table.columns.add("Value", sql.Int, { nullable: false });
  table.columns.add("Quality", sql.Int, { nullable: false });
  table.columns.add("Sensor", sql.NVarChar(8), { nullable: false });
  table.columns.add("Place", sql.NVarChar(8), { nullable: false });
  return table;
}
