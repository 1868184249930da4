/** `sallyport doctor`: whether what the policy connects to can be reached, step by step, and what to do where not. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import type { Command } from "commander";
import { ConfigError, defaultStateDir } from "../config.ts";
import { type Check, type Finding, runChecks } from "../doctor/check.ts";
import { checkConnection } from "../doctor/connection.ts";
import { parsePolicy } from "../policy/file.ts";
import { statePaths } from "../state.ts";
import { UsageError } from "./exit.ts";
import { fail, type OutputOptions, print } from "./print.ts";

/** The doctor's own, so that a watch can tell them from a command that could not run (docs/connectors/mssql.md). */
const EXIT_FAILED = 2;
const EXIT_WARNED = 3;

interface DoctorOptions extends OutputOptions {
  readonly state: string;
  readonly connection?: string;
}

export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .description("checks the way to each connection: DNS, TCP, SQL Server, certificate; no login is sent")
    .option("--connection <name>", "only this one of the policy")
    .option("--state <dir>", "the agent's folder, whose policy.yaml is read", defaultStateDir())
    .option("--json", "one JSON object on the standard output")
    .addHelpText(
      "after",
      `
All at once, each at most 5 seconds. Exit 0: all is well; 2: something failed; 3: there are warnings only.

Example:
  sallyport doctor --connection erp`,
    )
    .action(async (options: DoctorOptions) => {
      try {
        report(options, await runChecks(checksOf(options)));
      } catch (error) {
        fail(error, options);
      }
    });
}

/** @throws UsageError, ConfigError, or SallyportError `policy.invalid`. */
function checksOf({ state, connection: only }: DoctorOptions): readonly Check[] {
  const { connections } = readPolicy(statePaths(resolve(state)).policy);
  if (only !== undefined && !Object.hasOwn(connections, only))
    throw new UsageError(`the policy has no connection ${only}`);
  return Object.entries(connections)
    .filter(([name]) => only === undefined || name === only)
    .map(([name, connection]) => {
      const { ca } = connection.tls;
      return checkConnection(name, connection, ca === undefined ? undefined : read(resolve(state, ca)));
    });
}

const readPolicy = (path: string): Policy => parsePolicy(read(path), new Date());

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw new ConfigError(`${path} cannot be read`);
  }
}

function report(options: OutputOptions, findings: readonly Finding[]): void {
  const count = (status: Finding["status"]): number => findings.filter((one) => one.status === status).length;
  const [failed, warned] = [count("FAIL"), count("warn")];
  const exit = failed > 0 ? EXIT_FAILED : warned > 0 ? EXIT_WARNED : 0;
  process.exitCode = exit;
  const rows = findings.map(({ component, target, status, details }) => [component, target, status, details]);
  const table = [["COMPONENT", "TARGET", "STATUS", "DETAILS"], ...rows];
  const widths = [0, 1, 2].map((at) => Math.max(...table.map((row) => row[at]!.length)) + 2);
  const padded = (row: readonly string[]): string => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("");
  const advice = findings.flatMap((one) =>
    one.advice === undefined ? [] : [one.component.padEnd(widths[0]!) + one.advice],
  );
  const warnings = `${warned} ${warned === 1 ? "warning" : "warnings"}`;
  const summary = `${failed} failed, ${warnings}, ${count("ok")} ok   (exit ${exit})`;
  print(options, { exit, findings }, [...table.map(padded), ...advice, summary]);
}
