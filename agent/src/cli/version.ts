/** `sallyport version`. */
import type { Command } from "commander";
import { VERSION } from "../version.ts";
import { type OutputOptions, print } from "./print.ts";
import { JSON_OPTION } from "./verb.ts";

export function addVersion(program: Command): void {
  program
    .command("version")
    .description("the agent's version and the Node.js it runs on")
    .option(...JSON_OPTION)
    .addHelpText("after", "\nExample:\n  sallyport version")
    .action((options: OutputOptions) => {
      print(options, { version: VERSION, node: process.version }, [
        `sallyport ${VERSION} (Node.js ${process.version})`,
      ]);
    });
}
