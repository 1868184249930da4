/**
 * `write`: rows a second through `sql.write`, from the orchestrator's call to the agent's last frame, against `mssql`'s own
 * bulk insert into the same table of the same emulated server. There is no route for writes yet, so the orchestrator's
 * sessions module is called itself, in this process, which also makes and encodes the rows meanwhile.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { SessionInput } from "@sallyport/cloud/src/sessions/session.ts";
import type { ColumnType } from "@sallyport/shared/rows/types.ts";
import sql from "mssql";
import { z } from "zod";
import { type Site, startSite } from "../e2e/agent/site.ts";
import { column, INT, order, rowsOf, TEXT } from "../e2e/agent/writer.ts";
import { makeAuthority } from "../emulators/tls/certificates.ts";
import { type SqlServer, startSqlServer } from "../stack/sql-server.ts";
import type { Measured } from "./results.ts";
import { type Usage, watch } from "./watch.ts";
import { COLUMNS, CREATE, rowOf, TABLE } from "./write/rows.ts";

const PEER = fileURLToPath(new URL("./write/peer.ts", import.meta.url));
const PEER_NAME = "mssql's bulk insert";
const LEAST_RATIO = 0.7;
const TICKS_A_MS = 10_000;
const DAY_MS = 86_400_000;

const outcome = z.strictObject({ seconds: z.number(), cpu: z.number(), peak: z.number() });
type PeerRun = z.infer<typeof outcome>;

export interface WriteOptions {
  readonly rows: number;
  readonly runs: number;
  readonly say: (line: string) => void;
}

export async function benchWrite({ rows, runs, say }: WriteOptions): Promise<Measured[]> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-write-"));
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, authority.caPem);
  const options = { tls, ca: authority.caPem, caFile, reader: "reader", logFile: join(folder, "sql.log") };
  const server = await startSqlServer(options, new AbortController().signal);
  const site = await startSite();
  try {
    const enrolled = await site.enroll(site.orchestrator.code());
    if (enrolled.code !== 0) throw new Error(enrolled.stderr);
    site.setPolicy(policyFor(server.server.port, caFile));
    const agent = await site.start();
    const watched = { supervisor: agent.process.pid!, functionHost: process.pid, source: server.process.pid! };
    const ours: Usage[] = [];
    const peers: PeerRun[] = [];
    // One after the other in every round, so that whatever else the machine does meets both; the first is to warm up.
    for (let round = 0; round <= runs; round++) {
      await emptyTable(server);
      const { usage } = await watch(watched, () => writeAll(site, server, rows));
      await emptyTable(server);
      const peer = await runPeer(server, rows);
      if (round > 0) {
        ours.push(usage);
        peers.push(peer);
      }
      const shown = `sql.write ${usage.seconds.toFixed(2)} s, ${PEER_NAME} ${peer.seconds.toFixed(2)} s`;
      say(`${round === 0 ? "warm-up" : `run ${round}`}: ${shown}`);
    }
    return measured(rows, ours, peers);
  } finally {
    await site.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function writeAll(site: Site, { server }: SqlServer, rows: number): Promise<void> {
  const written = await order(site, {
    connection: "erp",
    credential: { form: "plain", user: server.user, password: server.password, signIn: "sql" },
    input: inputOf(rows),
    operation: { op: "sql.write", table: TABLE, action: "insert", columns: [...COLUMNS] },
  });
  if (!written.ok || written.result?.inserted !== rows) throw new Error(`not written: ${JSON.stringify(written)}`);
}

const BIGINT: ColumnType = { kind: "int", bits: 64, signed: true };
const INSTANT: ColumnType = { kind: "timestamp", unit: "ns" };
const TYPES = [BIGINT, INSTANT, INT, INT, TEXT, TEXT];

const inputOf = (rows: number): SessionInput =>
  rowsOf(
    COLUMNS.map((name, at) => column(name, TYPES[at]!)),
    rows,
    ({ columns }, id) => {
      const row = rowOf(id);
      columns[0]!.appendInt(row.id);
      const days = Math.floor(row.ms / DAY_MS);
      columns[1]!.appendTimestamp(days, (row.ms - days * DAY_MS) * TICKS_A_MS);
      columns[2]!.appendInt(row.value);
      columns[3]!.appendInt(row.quality);
      columns[4]!.appendString(row.sensor);
      columns[5]!.appendString(row.place);
    },
  );

async function runPeer({ server }: SqlServer, rows: number): Promise<PeerRun> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", PEER], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { port, password, ca } = server;
  child.stdin.end(JSON.stringify({ port, password, ca, rows }));
  return outcome.parse(JSON.parse(await text(child.stdout)));
}

async function emptyTable({ server }: SqlServer): Promise<void> {
  const pool = await new sql.ConnectionPool({
    server: server.host,
    port: server.port,
    database: server.database,
    user: server.user,
    password: server.password,
    options: { encrypt: true, trustServerCertificate: false, cryptoCredentialsDetails: { ca: server.ca } },
  }).connect();
  try {
    await pool.request().batch(`DROP TABLE IF EXISTS ${TABLE}`);
    await pool.request().batch(CREATE);
  } finally {
    await pool.close();
  }
}

const policyFor = (port: number, caFile: string): string => `v: 1
connections:
  erp:
    kind: mssql
    address: localhost:${port}
    database: ERP
    tls: { mode: required, ca: ${JSON.stringify(caFile)} }
    logins: [sa]
    refuseOverPrivileged: false
    rules:
      - { id: written, allow: [insert], tables: [${TABLE}], columns: [${COLUMNS.join(", ")}] }
`;

function measured(rows: number, ours: readonly Usage[], peers: readonly PeerRun[]): Measured[] {
  const against = (of: (peer: PeerRun) => number) => ({ name: PEER_NAME, values: peers.map(of) });
  const perMillion = (seconds: number): number => (seconds / rows) * 1e6;
  return [
    {
      metric: "rows a second",
      unit: "rows/s",
      ours: ours.map(({ seconds }) => rows / seconds),
      peer: against(({ seconds }) => rows / seconds),
    },
    {
      metric: "rows a second, of the peer's",
      unit: "ratio",
      ours: ours.map(({ seconds }, at) => peers[at]!.seconds / seconds),
      budget: { least: LEAST_RATIO },
    },
    {
      metric: "CPU of the agent's executor, its start included",
      unit: "s per million rows",
      ours: ours.map(({ cpu }) => perMillion(cpu.executor)),
      peer: against(({ cpu }) => perMillion(cpu)),
    },
    {
      metric: "CPU of the orchestrator's side, rows made and encoded",
      unit: "s per million rows",
      ours: ours.map(({ cpu }) => perMillion(cpu.functionHost)),
    },
    {
      metric: "CPU of the emulated SQL Server",
      unit: "s per million rows",
      ours: ours.map(({ cpu }) => perMillion(cpu.source)),
    },
    {
      metric: "peak RSS of the executor",
      unit: "MB",
      ours: ours.map(({ peak }) => peak.executor / 1e6),
      peer: against(({ peak }) => peak / 1e6),
    },
  ];
}
