/** The second pull of `npm start`: a small directory, whole, and again after somebody has left. */
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { DIRECTORY_CONNECTION, personDn, type SampleDirectory, STAFF } from "./directory.ts";
import { type FetchedRun, fetchRun, runPull } from "./pull.ts";
import { count, type Screen, seconds } from "./screen.ts";
import { type StackOn, TENANT } from "./start.ts";

export const PEOPLE = 200;
const PULL = "staff";
const LEAVING = 42;

export interface DirectoryResult {
  readonly rows: readonly number[];
  /** Account names that the second run no longer has. */
  readonly gone: readonly string[];
}

/** @throws Error where a run is not published */
export async function pullDirectory(
  stack: StackOn,
  directory: SampleDirectory,
  screen: Screen,
): Promise<DirectoryResult> {
  const attributes = ["objectGUID", "sAMAccountName", "displayName", "department", "manager", "proxyAddresses"];
  await stack.api.post(`/tenants/${TENANT}/pulls`, {
    id: PULL,
    definition: {
      connection: DIRECTORY_CONNECTION,
      operation: { op: "ad.search", base: STAFF, classes: ["user"], attributes },
    },
  });
  screen.say(`\nPull \`${PULL}\` of a directory, first run: everybody below ${STAFF}`);
  const first = await pullOnce(stack, screen);
  const shown = `"sAMAccountName", "displayName", "department", "proxyAddresses"::VARCHAR`;
  const people = await ask(`SELECT ${shown} FROM ${files(first)} WHERE "displayName" IS NOT NULL ORDER BY 1 LIMIT 3`);
  for (const row of people) screen.say(`    ${row.join("  ")}`);
  directory.leave(LEAVING);
  screen.say(`\nAn account is deleted in the directory: ${personDn(LEAVING)}. Second run`);
  const second = await pullOnce(stack, screen);
  const still = `SELECT "objectGUID" FROM ${files(second)}`;
  const gone = await ask(
    `SELECT "sAMAccountName" FROM ${files(first)} WHERE "objectGUID" NOT IN (${still}) ORDER BY 1`,
  );
  screen.say(`  gone since the first run: ${gone.flat().join(", ")}`);
  return { rows: [first.run.rows, second.run.rows], gone: gone.flat() };
}

async function pullOnce(stack: StackOn, screen: Screen): Promise<FetchedRun> {
  const ended = await runPull(stack.api, TENANT, PULL);
  const { run } = ended;
  if (run.state !== "published") throw new Error(`run ${run.id} is ${run.state}: ${run.error?.code ?? ""}`);
  screen.say(`  ${count(run.rows)} people in ${seconds(ended.seconds)}`);
  return fetchRun(stack.api, TENANT, ended, join(stack.folder, "out"));
}

const files = ({ parts }: FetchedRun): string =>
  `read_parquet([${parts.map((part) => `'${part.replaceAll("'", "''")}'`).join(", ")}])`;

async function ask(sql: string): Promise<string[][]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRows().map((row) => row.map(String));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
