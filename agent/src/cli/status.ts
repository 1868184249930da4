/** `sallyport status`: what the running agent says of itself, from its file: the agent has no listening endpoint. */
import { resolve } from "node:path";
import { duration } from "@sallyport/shared/terminal.ts";
import type { Command } from "commander";
import { defaultStateDir } from "../config.ts";
import { statePaths } from "../state.ts";
import { type AgentStatus, readStatus } from "../supervisor/status.ts";
import { EXIT } from "./exit.ts";
import { counted, fail, type OutputOptions, print, table } from "./print.ts";

interface StatusOptions extends OutputOptions {
  readonly state: string;
}

export function addStatus(program: Command): void {
  program
    .command("status")
    .description("what the running agent says of itself; exit 1 when none is running")
    .option("--state <dir>", "the agent's folder", defaultStateDir())
    .option("--json", "one JSON object on the standard output")
    .addHelpText(
      "after",
      `
The agent writes it every 5 seconds to run/status.json; --json prints that file, with \`live\` in front.

Example:
  sallyport status
  sallyport status --json | jq .canary`,
    )
    .action((options: StatusOptions) => {
      try {
        show(options);
      } catch (error) {
        fail(error, options);
      }
    });
}

function show(options: StatusOptions): void {
  const now = Date.now();
  const found = readStatus(statePaths(resolve(options.state)), now);
  if (found === undefined || !found.live) process.exitCode = EXIT.no;
  if (found === undefined) print(options, { live: false }, [`no agent has run on ${resolve(options.state)}`]);
  else print(options, { live: found.live, ...found.status }, describe(found.status, found.live, now));
}

function describe(status: AgentStatus, live: boolean, now: number): string[] {
  const since = (at: string): string => duration(now - Date.parse(at));
  const ago = (at: string): string => `${since(at)} ago`;
  const { channel, token, sessions, journal } = status;
  return [
    `${status.agent} (${status.site}, ${status.tenant})  ${status.version}  pid ${status.pid}`,
    ...table([
      ["LIVE", live ? `yes   process up ${since(status.startedAt)}` : `no    last seen ${ago(status.at)}`],
      ["READY", live && status.ready ? "yes" : `no    ${live ? status.notReady : "no agent is running"}`],
      ["CHANNEL", channel.state === "online" ? `connected ${since(channel.since)}` : `down: ${channel.why}`],
      ["CANARY", canaryText(status.canary, ago)],
      ["LOCKED", yes(status.locked)],
      ["DRAINING", yes(status.draining)],
      [
        "TOKEN",
        token.state === "valid"
          ? `renewed ${ago(token.renewedAt)}, expires in ${duration(Date.parse(token.expiresAt) - now)}`
          : `none: ${token.why}`,
      ],
      ["KEYS", status.fingerprint],
      ["POLICY", policyText(status.policy)],
      ["SESSIONS", `${sessions.running} of ${sessions.most} running, ${sessions.served} since start`],
      ["JOURNAL", journal === null ? "empty" : `line ${journal.seq.toLocaleString("en")}`],
    ]),
    ...(status.policy.problem === null
      ? []
      : `policy.yaml has changed and is not valid, so the policy above stays in force: ${status.policy.problem}`.split(
          "\n",
        )),
  ];
}

function canaryText({ heardAt, canaryAt, missed }: AgentStatus["canary"], ago: (at: string) => string): string {
  const parts = [canaryAt === null ? "none since start" : `last ${ago(canaryAt)}`];
  if (heardAt !== null && heardAt !== canaryAt) parts.push(`a request ${ago(heardAt)}`);
  if (missed > 0) parts.push(`${missed} sent and not arrived`);
  return parts.join(", ");
}

const policyText = ({ digest, connections, rules }: AgentStatus["policy"]): string =>
  `sha256:${digest}  ${counted(connections, "connection")}, ${counted(rules, "rule")}`;

const yes = (value: boolean): string => (value ? "yes" : "no");
