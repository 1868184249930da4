/** `sallyport update check|apply|pin|rollback|status`: what the owner says of this installation's version. */
import type { Command } from "commander";
import type { ApplyOptions, PinOptions, UpdateOptions } from "./update-options.ts";
import { guarded, JSON_OPTION, STATE_OPTION } from "./verb.ts";

export function addUpdate(program: Command): void {
  const update = program
    .command("update")
    .description("which version runs here: look for another, apply it, hold it, go back");
  update
    .command("check")
    .description("ask the orchestrator which releases there are for this agent; downloads nothing")
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      "\nOnly releases with both signatures are shown (docs/update.md).\n\nExample:\n  sallyport update check",
    )
    .action((options: UpdateOptions) =>
      guarded(options, async () => (await import("./update-check.ts")).check(options)),
    );
  update
    .command("apply")
    .description("download a release, and let the updater install it; exit 1 when it went back by itself")
    .option("--version <version>", "this one, instead of the newest")
    .option("--downgrade", "take it although it is older than what runs")
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `
For administrators. Running sessions finish first, as with \`sallyport drain\`. If the new version has no control channel and no canary
within 2 minutes, what ran before is started again.

Example:
  sallyport update apply
  sallyport update apply --version 1.4.2 --downgrade`,
    )
    .action((options: ApplyOptions) =>
      guarded(options, async () => (await import("./update-apply.ts")).apply(options)),
    );
  update
    .command("pin")
    .argument("[version]", "the version to hold; what runs, where none is given")
    .description("take no other version, by itself or by a command, until `sallyport update pin --off`")
    .option("--off", "take others again")
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText("after", "\nFor administrators.\n\nExample:\n  sallyport update pin\n  sallyport update pin 1.4.2")
    .action((version: string | undefined, options: PinOptions) =>
      guarded(options, async () => (await import("./update-pin.ts")).pin(version, options)),
    );
  update
    .command("rollback")
    .description("go back to the version that ran before the last update; exit 1 when that does not work")
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      "\nFor administrators. Nothing is downloaded: it is still there.\n\nExample:\n  sallyport update rollback",
    )
    .action((options: UpdateOptions) =>
      guarded(options, async () => (await import("./update-apply.ts")).rollback(options)),
    );
  update
    .command("status")
    .description("what runs, what ran before, and how the last update ended; asks nobody")
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText("after", "\nExample:\n  sallyport update status")
    .action((options: UpdateOptions) =>
      guarded(options, async () => (await import("./update-status.ts")).status(options)),
    );
}
