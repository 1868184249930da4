/** The running system as system tests need it: the stack, and a SQL Server of their own whose faults they control. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import { startTds, type Tds } from "../emulators/tds/start.ts";
import { makeAuthority } from "../emulators/tls/certificates.ts";
import { type Cleanup, createCleanup } from "../stack/cleanup.ts";
import { type Stack, startStack, TENANT } from "../stack/start.ts";
import { endpointsOf } from "./network/sockets.ts";
import { childrenOf, until } from "./processes.ts";

/** The login that pulls use. */
export const LOGIN = "svc_system_test";
/** Rows of `dbo.Marked`, each with the mark. */
export const MARKED_ROWS = 200;
/** Rows of `dbo.Slow`: more than an agent may send before it gets credit. */
export const SLOW_ROWS = 3_000;

export interface World {
  readonly folder: string;
  readonly cleanup: Cleanup;
  readonly stack: Stack;
  readonly tds: Tds;
  readonly password: string;
  /** A text that stands in every row of `dbo.Marked` and `dbo.Slow`, and nowhere else. */
  readonly mark: string;
  /** What an agent's owner allows here: both tables, read only. */
  readonly policy: string;
  /** Makes the connection of a site, with its credential. */
  connect(connection: string, site: string): Promise<void>;
  /** Defines a pull of a table; its id is `id`. Of Parquet's files a process writes two at a time, so a third run waits. */
  definePull(id: string, connection: string, table: string, format?: "parquet" | "ndjson"): Promise<void>;
  startRun(pull: string): Promise<RunView>;
  /** A run of a pull of `dbo.Marked`, from start to end. @throws where it is not published with every row. */
  pull(pull: string): Promise<RunView>;
  run(id: string): Promise<RunView>;
  /** Waits for the run's end, whatever that is. */
  runEnd(id: string): Promise<RunView>;
  /** Starts a run of a pull of `dbo.Slow` that hangs in the middle of a row; a later attempt will not. */
  hang(pull: string, agent: number): Promise<Hanging>;
}

export interface Hanging {
  readonly run: string;
  /** The executor that waits for the row's rest; a child of the agent. */
  readonly executor: number;
}

/** Room for the pauses before two retries. */
const RUN_WITHIN_MS = 120_000;
const ENDED: ReadonlySet<string> = new Set(["published", "failed", "cancelled", "superseded", "expired"]);

const SLOW_READ = /FROM \[dbo\]\.\[Slow\]/;

/** The connection's name in every policy here. */
export const CONNECTION = "marked";

/** Starts everything; temporary files of every part go below its folder, which `cleanup` removes. */
export async function startWorld(name: string, cleanup: Cleanup = createCleanup()): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), `sallyport-${name}-`));
  const before = process.env.TMPDIR;
  cleanup.add(folder, () => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(folder, { recursive: true, force: true });
  });
  process.env.TMPDIR = join(folder, "tmp");
  mkdirSync(process.env.TMPDIR);
  const password = `pw-${randomBytes(18).toString("base64url")}`;
  const mark = `row-${randomBytes(18).toString("base64url")}`;
  const authority = await makeAuthority();
  const caFile = join(folder, "sql-ca.pem");
  writeFileSync(caFile, authority.caPem);
  const tds = cleanup.add(
    await startTds({
      tls: await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
      logins: [{ name: LOGIN, password, rights: "read" }],
      databases: ["ERP"],
    }),
    (it) => it.close(),
  );
  await fill(tds, mark);
  const policy = policyOf(tds.port, caFile);
  const stack = await startStack({ folder, cleanup, policy: () => policy });
  const { api } = stack;

  /** Children of an agent that talk to the SQL Server now. */
  const readers = (agent: number): number[] =>
    childrenOf(agent).filter((pid) =>
      endpointsOf(pid).some(({ state, remote }) => state === "connected" && remote.port === tds.port),
    );

  const world: World = {
    folder,
    cleanup,
    stack,
    tds,
    password,
    mark,
    policy,
    async connect(connection, site) {
      await api.post(`/tenants/${TENANT}/connections`, { id: connection, site, kind: "mssql" });
      await api.put(`/tenants/${TENANT}/connections/${connection}/credential`, { user: LOGIN, password });
    },
    async definePull(id, connection, table, format = "parquet") {
      await api.post(`/tenants/${TENANT}/pulls`, {
        id,
        definition: {
          connection,
          operation: { op: "sql.table", table, columns: "*" },
          watermark: "none",
          sink: { type: "blob", format },
        },
      });
    },
    startRun: (pull) => api.post<RunView>(`/tenants/${TENANT}/pulls/${pull}/runs`, { kind: "manual" }),
    async pull(pull) {
      const run = await world.runEnd((await world.startRun(pull)).id);
      assert.equal(run.state, "published", JSON.stringify(run.error));
      assert.equal(run.rows, MARKED_ROWS);
      return run;
    },
    run: (id) => api.get<RunView>(`/tenants/${TENANT}/runs/${id}`),
    runEnd: (id) =>
      until(
        `run ${id} ends`,
        async () => {
          const run = await world.run(id);
          return ENDED.has(run.state) && run;
        },
        RUN_WITHIN_MS,
      ),
    async hang(pull, agent) {
      const before = new Set(readers(agent));
      const logged = tds.log.length;
      tds.faults.add({ kind: "stallInRow", afterRows: 300 }, { statement: SLOW_READ, times: 1 });
      const { id } = await world.startRun(pull);
      await until("the read begins", () =>
        tds.log.slice(logged).some((entry) => entry.kind === "rpc" && SLOW_READ.test(entry.text)),
      );
      const executor = await until("its executor", () => readers(agent).find((pid) => !before.has(pid)));
      return { run: id, executor };
    },
  };
  return world;
}

/** Fills both tables as the customer would; what stands beside the mark cannot be compressed away. */
async function fill(tds: Tds, mark: string): Promise<void> {
  for (const [table, rows] of Object.entries({ "dbo.Marked": MARKED_ROWS, "dbo.Slow": SLOW_ROWS })) {
    await tds.sql(`CREATE TABLE ${table} (Id int NOT NULL PRIMARY KEY, Note nvarchar(400) NOT NULL)`);
    for (let start = 0; start < rows; start += 1000) {
      const values = Array.from(
        { length: Math.min(1000, rows - start) },
        (_, index) => `(${start + index}, N'${mark} ${randomBytes(150).toString("base64")}')`,
      );
      await tds.sql(`INSERT INTO ${table} (Id, Note) VALUES ${values.join(", ")}`);
    }
  }
}

const policyOf = (port: number, caFile: string): string => `v: 1
limits: { sessionsPerMinute: 600 }
connections:
  ${CONNECTION}:
    kind: mssql
    address: localhost:${port}
    database: ERP
    tls: { mode: required, ca: ${JSON.stringify(caFile)} }
    logins: [${LOGIN}]
    limits: { sessions: 8 }
    rules:
      - { id: tables, allow: [table], tables: [dbo.Marked, dbo.Slow, dbo.Huge], columns: "*" }
`;
