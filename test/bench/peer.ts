/**
 * The peer of `pull`: what one would write without Sallyport. A process that streams a query with `mssql` into an NDJSON
 * file on the same machine, binary as base64, and waits for the file where it is slower. One line of JSON with the
 * server and the query comes in on stdin, one with the outcome goes out. Its values are what the driver makes of them.
 */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { text } from "node:stream/consumers";
import { finished } from "node:stream/promises";
import sql from "mssql";
import { z } from "zod";

const order = z
  .strictObject({
    host: z.string(),
    port: z.int(),
    database: z.string(),
    user: z.string(),
    password: z.string(),
    ca: z.string(),
    sql: z.string(),
    file: z.string(),
  })
  .parse(JSON.parse(await text(process.stdin)));

const startedMs = performance.now();
const pool = await new sql.ConnectionPool({
  server: order.host,
  port: order.port,
  database: order.database,
  user: order.user,
  password: order.password,
  options: { encrypt: true, trustServerCertificate: false, cryptoCredentialsDetails: { ca: order.ca } },
  requestTimeout: 600_000,
  pool: { max: 1 },
}).connect();
const file = createWriteStream(order.file, { highWaterMark: 1024 * 1024 });
const request = pool.request();
request.stream = true;
let rows = 0;
request.on("row", (row: Record<string, unknown>) => {
  for (const name in row) if (Buffer.isBuffer(row[name])) row[name] = row[name].toString("base64");
  rows++;
  if (file.write(`${JSON.stringify(row)}\n`)) return;
  request.pause();
  file.once("drain", () => request.resume());
});
const done = once(request, "done");
void request.query(order.sql);
await done;
file.end();
await finished(file);
const seconds = (performance.now() - startedMs) / 1000;
await pool.close();
const { user, system } = process.cpuUsage();
const peak = process.resourceUsage().maxRSS * 1024;
process.stdout.write(
  `${JSON.stringify({ rows, seconds, cpu: (user + system) / 1e6, peak, bytes: file.bytesWritten })}\n`,
);
