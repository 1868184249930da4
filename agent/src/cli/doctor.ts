/** `sallyport doctor`: all that the agent depends on, checked at once, and what to do where something is wrong. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { loadConfig } from "../config.ts";
import { docsPage } from "../docs-page.ts";
import { type Check, type Finding, runChecks } from "../doctor/check.ts";
import { allChecks, connectionChecks } from "../doctor/checks.ts";
import { statePaths } from "../state.ts";
import { UsageError } from "./exit.ts";
import { coloured, counted, fail, type OutputOptions, print, table } from "./print.ts";
import { JSON_OPTION, STATE_OPTION } from "./verb.ts";

/** The doctor's own, so that a watch can tell them from a command that could not run. */
const EXIT_FAILED = 2;
const EXIT_WARNED = 3;

interface DoctorOptions extends OutputOptions {
  readonly state: string;
  readonly connection?: string;
}

export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .description(
      "checks the ways out, the agent's files, keys, journal and policy, and each connection; sends no login",
    )
    .option("--connection <name>", "only this one of the policy; nothing needs to be enrolled for it")
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `
All at once, each at most 5 seconds. Below the table stands what to do, and the page that says more.
Exit 0: all is well; 2: something failed; 3: there are warnings only.

Example:
  sallyport doctor
  sallyport doctor --connection erp
  sallyport doctor --json | jq '.findings[] | select(.status != "ok")'`,
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
  const paths = statePaths(resolve(state));
  if (only === undefined) return allChecks(loadConfig(paths.config), paths, new Date());
  const one = connectionChecks(paths, new Date()).filter(({ component }) => component === only);
  if (one.length === 0) throw new UsageError(`the policy has no connection ${only}`);
  return one;
}

const COLOURS = { ok: "green", warn: "yellow", FAIL: "red" } as const;

function report(options: OutputOptions, findings: readonly Finding[]): void {
  const { failed, warned, ok, exit } = tally(findings);
  process.exitCode = exit;
  const rows = table([
    ["COMPONENT", "TARGET", "STATUS", "DETAILS"],
    ...findings.map(({ component, target, status, details }) => [component, target, status, details]),
  ]);
  const at = rows[0]!.indexOf("STATUS");
  const paint = (line: string, index: number): string => {
    const status = findings[index - 1]?.status;
    if (status === undefined) return line;
    return line.slice(0, at) + coloured(status, COLOURS[status]) + line.slice(at + status.length);
  };
  const indent = Math.max(...findings.map(({ component }) => component.length), "COMPONENT".length) + 2;
  const advice = findings.flatMap(({ component, check, advice: text }) =>
    text === undefined
      ? []
      : [`${component.padEnd(indent)}${text}`, `${" ".repeat(indent)}${docsPage(`checks/${check}.md`)}`],
  );
  const summary = `${failed} failed, ${counted(warned, "warning")}, ${ok} ok   (exit ${exit})`;
  print(options, { exit, findings }, [...rows, ...advice, summary], paint);
}

/** How many of each, and what the doctor ends with. */
export function tally(findings: readonly Finding[]): { failed: number; warned: number; ok: number; exit: number } {
  const count = (status: Finding["status"]): number => findings.filter((one) => one.status === status).length;
  const [failed, warned, ok] = [count("FAIL"), count("warn"), count("ok")];
  return { failed, warned, ok, exit: failed > 0 ? EXIT_FAILED : warned > 0 ? EXIT_WARNED : 0 };
}
