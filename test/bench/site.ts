/** The stack of a benchmark: as `npm start` has it, with a policy for the benchmark's tables, and its processes by id. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import type { SinkFormat } from "@sallyport/shared/schema/pull.ts";
import { type Cleanup, createCleanup } from "../stack/cleanup.ts";
import { freshFolder } from "../stack/folders.ts";
import { bundled, type Program } from "../stack/program.ts";
import { runPull } from "../stack/pull.ts";
import { CONNECTION, READER, type Stack, startStack, TENANT } from "../stack/start.ts";
import { childrenOf, commandOf } from "./processes.ts";
import { NARROW, WIDE_COLUMNS, WIDE_SQL } from "./rows.ts";
import type { Watched } from "./watch.ts";

export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

export interface Site extends Stack {
  readonly watched: Watched;
  readonly cleanup: Cleanup;
}

export interface SiteOptions {
  /** What agent and function app are run from; by default the bundles, which are what is deployed. */
  readonly program?: Program;
  /** Settings of the function app beside the stack's own. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Runs `work` on a stack of its own, which is gone afterwards with everything that it stored; its logs stay if it fails. */
export async function onSite<T>(options: SiteOptions, work: (site: Site) => Promise<T>): Promise<T> {
  const folder = freshFolder(ROOT, new Date(), process.pid);
  // Whatever a part of the stack puts into the temporary folder is removed with ours.
  process.env.TMPDIR = join(folder, "tmp");
  mkdirSync(process.env.TMPDIR);
  const cleanup = createCleanup();
  const end = async () => {
    await cleanup.run();
    for (const name of ["storage", "tmp"]) rmSync(join(folder, name), { recursive: true, force: true });
  };
  const onSignal = () => void end().finally(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, onSignal);
  try {
    const program = options.program ?? (await bundled());
    const stack = await startStack({ folder, cleanup, policy, ...options, program });
    const watched = {
      supervisor: stack.agent.process.pid!,
      functionHost: childNamed("functions-host/main.ts"),
      source: stack.sqlServer.process.pid!,
    };
    const result = await work({ ...stack, watched, cleanup });
    await end();
    rmSync(folder, { recursive: true, force: true });
    return result;
  } finally {
    await end();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, onSignal);
  }
}

function childNamed(part: string): number {
  const found = childrenOf(process.pid).find((pid) => commandOf(pid).includes(part));
  if (found === undefined) throw new Error(`no process ${part}`);
  return found;
}

const policy = (server: Stack["sqlServer"]["server"], caFile: string): string => `v: 1
limits: { sessionsPerMinute: 600 }
connections:
  ${CONNECTION}:
    kind: mssql
    address: ${server.host}:${server.port}
    database: ${server.database}
    tls: { mode: required, ca: ${JSON.stringify(caFile)} }
    logins: [${READER}]
    rules:
      - { id: narrow, allow: [table], tables: [${NARROW}], columns: "*" }
      - id: wide
        allow: [statement]
        name: wide
        sql: ${JSON.stringify(WIDE_SQL)}
        returns: [${WIDE_COLUMNS.join(", ")}]
`;

type PullOperation =
  | { readonly op: "sql.table"; readonly table: string; readonly columns: "*" }
  | { readonly op: "sql.query"; readonly statement: string };

export async function definePull(site: Site, id: string, operation: PullOperation, format: SinkFormat): Promise<void> {
  const definition = { connection: CONNECTION, operation, sink: { type: "blob", format } };
  await site.api.post(`/tenants/${TENANT}/pulls`, { id, definition });
}

/** A run from the request for it to its published manifest. Throws when it ends otherwise, or with other rows. */
export async function runWhole(site: Site, pull: string, rows: number): Promise<RunView> {
  const { run } = await runPull(site.api, TENANT, pull);
  if (run.state !== "published") throw new Error(`the run ended as ${run.state}: ${JSON.stringify(run.error)}`);
  if (run.rows !== rows) throw new Error(`the run has ${run.rows} rows instead of ${rows}`);
  return run;
}
