/** `sallyport policy suggest`: rules for what was denied. Prints, and never writes. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { ConfigError } from "../config-error.ts";
import { recentLines } from "../journal/journal.ts";
import { parsePolicy } from "../policy/file.ts";
import { type Denial, type Suggestion, suggest } from "../policy/suggest.ts";
import { statePaths } from "../state.ts";
import { UsageError } from "./exit.ts";
import { type PolicyOptions, readPolicyFile } from "./policy-file.ts";
import { counted, print } from "./print.ts";
import { spanMs } from "./verb.ts";

interface SuggestOptions extends PolicyOptions {
  readonly since: string;
}

export function printSuggestions(file: string | undefined, options: SuggestOptions): void {
  const sinceMs = Date.now() - durationMs(options.since);
  const { root, journal } = statePaths(resolve(options.state));
  if (!existsSync(journal)) throw new ConfigError(`${root} has no journal: name the agent's folder with --state`);
  const policy = parsePolicy(readPolicyFile(file, options).text, new Date());
  const denials: Denial[] = [];
  for (const line of recentLines(journal, sinceMs)) {
    if (line.event === "request" && line.decision === "deny" && line.code === "policy.denied") denials.push(line);
  }
  const { suggested, left } = suggest(policy, denials, new Date());
  const callers = [...new Set(denials.map(({ caller }) => caller ?? "-"))];
  const who = `${counted(callers.length, "caller")} (${callers.slice(0, 5).join(", ")}${callers.length > 5 ? ", …" : ""})`;
  const skipped = left.map(({ what, times }) => `${times} x ${what}`).join(", ");
  print(options, { denials: denials.length, callers, suggested, notSuggested: left }, [
    denials.length === 0
      ? `No denials since ${options.since} ago.`
      : `${counted(denials.length, "denial")} by ${who}. Read before you paste: this is what was asked for, not what is needed.`,
    ...suggested.flatMap(linesOf),
    ...(denials.length === 0 ? [] : [`# not suggested: ${skipped}`]),
  ]);
}

function linesOf({ connection, times, last, lines }: Suggestion): string[] {
  const request = last.request === undefined ? "" : `, request ${last.request}`;
  return [
    `# connection ${connection}: asked ${counted(times, "time")}, last ${last.at.slice(0, 16).replace("T", " ")}${request}`,
    ...lines.map((line) => `      ${line}`),
  ];
}

function durationMs(text: string): number {
  const span = spanMs(text);
  if (span === undefined) throw new UsageError("--since takes a number and m, h or d: 24h");
  return span;
}
