/** `sallyportctl pulls list|show|run|pause|resume|reset|remove`. */

import { type PullView, pullView, runView } from "@sallyport/shared/schema/api.ts";
import type { PullDefinition } from "@sallyport/shared/schema/pull.ts";
import { duration } from "@sallyport/shared/terminal.ts";
import type { Command } from "commander";
import { listedPull } from "./answers.ts";
import { CliError, EXIT } from "./exit.ts";
import { facts, table } from "./print.ts";
import { addRemove } from "./remove.ts";
import { describeRun } from "./run-text.ts";
import type { CommonOptions } from "./settings.ts";
import { type Call, demandYes, does, nameArgument, verb } from "./verb.ts";
import { watchRun } from "./watch.ts";
import { count, when, yesNo } from "./words.ts";

interface RunOptions extends CommonOptions {
  readonly backfill?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly watch?: boolean;
}
interface ResetOptions extends CommonOptions {
  readonly yes?: boolean;
}

const pullArgument = () => nameArgument("<pull>", "a pull's id, as `pulls list` shows it");

export function addPulls(program: Command): void {
  const pulls = program.command("pulls").description("what is pulled, and when");
  does(verb(pulls, "list", "all pulls of the tenant", "pulls list --tenant contoso"), async (call) => {
    const all = await call.api.list(`${call.tenantPath()}/pulls`, listedPull);
    const heads = ["PULL", "CONNECTION", "READS", "WATERMARK", "SCHEDULE", "PAUSED", "REVISION"];
    const rows = all.map(({ id, revision, definition }) => [
      id,
      definition.connection,
      whatIsRead(definition),
      definition.watermark,
      whenItRuns(definition),
      yesNo(definition.paused),
      String(revision),
    ]);
    call.print(all, all.length === 0 ? [`Tenant ${call.tenant()} has no pull.`] : table(heads, rows));
  });
  does(
    verb(pulls, "show", "a pull, and how far it has got", "pulls show orders --tenant contoso").addArgument(
      pullArgument(),
    ),
    async (call, _, pull = "") => show(call, await call.api.get(pullPath(call, pull), pullView)),
  );
  does<RunOptions>(
    verb(
      pulls,
      "run",
      "starts a run now, or a backfill of what lies between two watermarks",
      "pulls run orders --watch",
      "pulls run orders --backfill --from '[\"1000\"]' --to '[\"2000\"]'",
    )
      .addArgument(pullArgument())
      .option("--backfill", "reads again; moves no watermark")
      .option("--from <watermark>", "of a backfill; from the beginning otherwise")
      .option("--to <watermark>", "of a backfill; what was read so far otherwise")
      .option("--watch", "stays until the run has ended: exit 0 published, 1 not"),
    async (call, { backfill, from, to, watch }, pull = "") => {
      if (!backfill && (from !== undefined || to !== undefined)) {
        throw new CliError(EXIT.usage, "--from and --to belong to a backfill.", "Add --backfill, or leave them out.");
      }
      const body = backfill ? { kind: "backfill", ...(from && { from }), ...(to && { to }) } : {};
      const run = await call.api.post(`${pullPath(call, pull)}/runs`, body, runView);
      if (watch) await watchRun(call, run.id);
      else call.print(run, describeRun(run, call, Date.now()));
    },
  );
  does(
    verb(pulls, "pause", "stops the schedule; what runs goes on", "pulls pause orders").addArgument(pullArgument()),
    async (call, _, pull = "") => show(call, await call.api.post(`${pullPath(call, pull)}/pause`, {}, pullView)),
  );
  does(
    verb(pulls, "resume", "starts the schedule again, from now on", "pulls resume orders").addArgument(pullArgument()),
    async (call, _, pull = "") => show(call, await call.api.post(`${pullPath(call, pull)}/resume`, {}, pullView)),
  );
  does<ResetOptions>(
    verb(pulls, "reset", "forgets how far the pull has got", "pulls reset orders --yes")
      .addArgument(pullArgument())
      .option("--yes", "do it"),
    async (call, options, pull = "") => {
      demandYes(
        options,
        `The active run of ${pull} would end, the next one read everything, and replace all results before it.`,
      );
      show(call, await call.api.post(`${pullPath(call, pull)}/reset`, {}, pullView));
    },
  );
  addRemove(pulls, {
    what: "pull",
    about: "ends a pull that has no unfinished run; its runs and results stay",
    example: "orders",
    follows: "would be gone, with its schedule and how far it has got. Its runs and results stay.",
    afterwards: "What it has brought stays: sallyportctl runs list shows it as before.",
  });
}

const pullPath = (call: Call, pull: string): string => `${call.tenantPath()}/pulls/${pull}`;

function whatIsRead({ operation }: PullDefinition): string {
  if (operation.op === "ad.search" || operation.op === "ad.changes") return operation.base;
  return operation.op !== "sql.query" ? operation.table : `statement ${operation.statement}`;
}

const whenItRuns = ({ schedule }: PullDefinition): string =>
  schedule === undefined ? "by hand" : `${schedule.cron} ${schedule.timezone}`;

function show(call: Call, pull: PullView): void {
  const { definition } = pull;
  const { schedule } = definition;
  const manifests = pull.seq < pull.oldest ? "none" : `${count(pull.oldest)} to ${count(pull.seq)}`;
  call.print(
    pull,
    facts([
      ["PULL", `${pull.id}, revision ${pull.revision}`],
      ["READS", `${whatIsRead(definition)} through ${definition.connection}, into ${definition.sink.format}`],
      [
        "MODE",
        definition.watermarkColumn === undefined ? definition.watermark : `column ${definition.watermarkColumn}`,
      ],
      ["WATERMARK", pull.watermark ?? "none: the next run reads everything"],
      ["MANIFESTS", manifests],
      ["SCHEDULE", whenItRuns(definition)],
      [
        "RULES",
        schedule && `misfire ${schedule.misfire}, overlap ${schedule.overlap}, jitter ${schedule.jitterSeconds} s`,
      ],
      ["NEXT DUE", pull.nextDue === null ? "-" : `${pull.nextDue} (${when(pull.nextDue, Date.now())})`],
      [
        "FRESHNESS",
        definition.freshness &&
          `told when results are older than ${duration(definition.freshness.maxAgeSeconds * 1000)}`,
      ],
      ["PAUSED", yesNo(definition.paused)],
      ["ACTIVE RUN", pull.activeRun ?? "none"],
    ]),
  );
}
