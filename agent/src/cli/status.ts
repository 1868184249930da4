/**
 * `sallyport status`: what the running agent says of itself, from its file (it has no listening endpoint), and what the
 * owner's own files say: policy, keys, journal.
 */
import { resolve } from "node:path";
import { duration } from "@sallyport/shared/terminal.ts";
import type { Command } from "commander";
import { statePaths } from "../state.ts";
import { type AgentStatus, readStatus } from "../supervisor/status.ts";
import { EXIT } from "./exit.ts";
import { type OwnFiles, readOwnFiles } from "./own-files.ts";
import { coloured, counted, type OutputOptions, print, table } from "./print.ts";
import { guarded, JSON_OPTION, STATE_OPTION } from "./verb.ts";

interface StatusOptions extends OutputOptions {
  readonly state: string;
}

export function addStatus(program: Command): void {
  program
    .command("status")
    .description("what the running agent says of itself; exit 1 when none is running")
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `
The agent writes it every 5 seconds to run/status.json; --json prints that file, with \`live\` in front, and with \`grants\`,
\`keyDays\` and \`today\` from policy.yaml, keys/ and the journal, each null where this account may not read them.

Example:
  sallyport status
  sallyport status --json | jq .canary`,
    )
    .action((options: StatusOptions) => guarded(options, () => show(options)));
}

async function show(options: StatusOptions): Promise<void> {
  const now = Date.now();
  const paths = statePaths(resolve(options.state));
  const found = readStatus(paths, now);
  if (found === undefined || !found.live) process.exitCode = EXIT.no;
  if (found === undefined) {
    print(options, { live: false }, [`no agent has run on ${paths.root}`]);
    return;
  }
  const own = await readOwnFiles(paths, now);
  const { grants, keyDays, today } = own;
  const value = { live: found.live, ...found.status, grants, keyDays, today };
  print(options, value, describe(found.status, found.live, own, now), paint);
}

/** What is as it should be, and what is not. */
const paint = (line: string): string =>
  line.replace(/^(LIVE|READY|LOCKED) +(yes|no)\b/, (text, what: string, answer: string) => {
    const good = answer === (what === "LOCKED" ? "no" : "yes");
    return text.slice(0, -answer.length) + coloured(answer, good ? "green" : what === "LOCKED" ? "yellow" : "red");
  });

function describe(status: AgentStatus, live: boolean, own: OwnFiles, now: number): string[] {
  const since = (at: string): string => duration(now - Date.parse(at));
  const ago = (at: string): string => `${since(at)} ago`;
  const { sessions } = status;
  return [
    `${status.agent} (${status.site}, ${status.tenant})  ${status.version}  pid ${status.pid}  ${status.account}`,
    ...table([
      ["LIVE", live ? `yes   process up ${since(status.startedAt)}` : `no    last seen ${ago(status.at)}`],
      ["READY", ready(status, live, since, ago)],
      ["LOCKED", status.locked ? "yes" : "no"],
      ["TOKEN", token(status, now, ago)],
      ["KEYS", [status.fingerprint, ...own.keysText].join("  ")],
      ["POLICY", `sha256:${status.policy.digest}  ${own.policyText ?? policyText(status.policy)}`],
      ["SESSIONS", `${sessions.running} of ${sessions.most} running, ${sessions.served} since start`],
      ["TODAY", own.todayText],
      ["JOURNAL", journal(status, own, ago)],
      ...(status.syslog === null ? [] : [["SYSLOG", syslog(status.syslog)]]),
      ...(status.updates === null ? [] : [["UPDATES", updates(status.updates)]]),
    ]),
    ...(status.policy.problem === null
      ? []
      : `policy.yaml has changed and is not taken, so the policy above stays in force: ${status.policy.problem}`.split(
          "\n",
        )),
  ];
}

function ready(
  { ready: takes, notReady, channel, canary }: AgentStatus,
  live: boolean,
  since: (at: string) => string,
  ago: (at: string) => string,
): string {
  if (!live) return "no    no agent is running";
  const { heardAt, canaryAt, missed } = canary;
  const parts = [
    ...(takes ? [] : [notReady ?? "?"]),
    // Where it is down, the reason says so.
    ...(channel.state === "online" ? [`control channel ${since(channel.since)}`] : []),
    canaryAt === null ? "no canary since start" : `last canary ${ago(canaryAt)}`,
    ...(heardAt !== null && heardAt !== canaryAt ? [`a request ${ago(heardAt)}`] : []),
    ...(missed > 0 ? [`${missed} sent and not arrived`] : []),
  ];
  return `${takes ? "yes  " : "no   "} ${parts.join(", ")}`;
}

function token({ token: state }: AgentStatus, now: number, ago: (at: string) => string): string {
  if (state.state === "none") return `none: ${state.why}`;
  const tenths = Math.round(state.offsetMs / 100);
  const clock = `${tenths < 0 ? "-" : "+"}${(Math.abs(tenths) / 10).toFixed(1)} s`;
  const left = duration(Date.parse(state.expiresAt) - now);
  return `renewed ${ago(state.renewedAt)}, expires in ${left}        CLOCK  ${clock}`;
}

const policyText = ({ connections, rules }: AgentStatus["policy"]): string =>
  `${counted(connections, "connection")}, ${counted(rules, "rule")}`;

/** Until there is a line to send, nobody has tried. */
function syslog({ connected, waiting, dropped }: NonNullable<AgentStatus["syslog"]>): string {
  const lost = dropped === 0 ? "none lost" : `${counted(dropped, "line")} lost`;
  return `${connected ? "connected" : "not connected"}, ${counted(waiting, "line")} waiting, ${lost}`;
}

const updates = ({ mode, available }: NonNullable<AgentStatus["updates"]>): string =>
  available === null ? mode : `${mode}; ${available} is available: \`sallyport update apply\``;

/** The head goes out with each token request. */
function journal({ journal: head, token: state }: AgentStatus, own: OwnFiles, ago: (at: string) => string): string {
  if (head === null) return "empty";
  return [
    `line ${head.seq.toLocaleString("en")}`,
    ...(own.chain === undefined ? [] : [own.chain]),
    ...(state.state === "valid" ? [`reported ${ago(state.renewedAt)}`] : []),
  ].join(", ");
}
