/** What all verbs share: their options, a help that teaches, the connection to the API, and how an error ends them. */

import { nameId, randomId, runId } from "@sallyport/shared/schema/ids.ts";
import { type Argument, type Command, createArgument, InvalidArgumentError } from "commander";
import type { z } from "zod";
import { type Api, connectApi } from "./api.ts";
import { CliError, EXIT } from "./exit.ts";
import { createOutput, fail, type Output } from "./print.ts";
import { type CommonOptions, readSettings, readTenant } from "./settings.ts";

export interface Call extends Output {
  readonly api: Api;
  /** `/tenants/{t}`. @throws CliError without a tenant */
  tenantPath(): string;
  /** @throws CliError without a tenant */
  tenant(): string;
}

/** A verb with the options that all have. `name` holds no arguments: `argument` below makes them, checked. */
export function verb(noun: Command, name: string, description: string, ...examples: readonly string[]): Command {
  return noun
    .command(name)
    .description(description)
    .option("--tenant <id>", "whose; SALLYPORT_TENANT otherwise")
    .option("--url <origin>", "the orchestrator's https:// address; SALLYPORT_URL otherwise")
    .option("--key-file <file>", "an API key in a file of mode 0600; SALLYPORT_API_KEY otherwise")
    .option("--ca <file>", "further authorities to trust, in PEM")
    .option("--json", "JSON on the standard output")
    .addHelpText("after", `\nExample:\n${examples.map((example) => `  sallyportctl ${example}`).join("\n")}`);
}

/** Gives the verb its work. `args` are the command's arguments in their order. */
export function does<T extends CommonOptions>(
  command: Command,
  work: (call: Call, options: T, ...args: string[]) => Promise<void>,
): void {
  command.action(async () => {
    const options = command.opts<T>();
    const json = options.json === true;
    let api: Api | undefined;
    try {
      const tenant = () => readTenant(options);
      api = connectApi(readSettings(options));
      const call = { ...createOutput(json), api, tenant, tenantPath: () => `/tenants/${tenant()}` };
      await work(call, options, ...(command.processedArgs as string[]));
    } catch (error) {
      fail(error, json);
    } finally {
      api?.close();
    }
  });
}

/** Something that cannot be undone is done when it was said twice. @throws CliError with exit code 64 */
export function demandYes(options: { readonly yes?: boolean }, whatHappens: string): void {
  if (options.yes !== true) throw new CliError(EXIT.usage, whatHappens, "Add --yes to do it.");
}

const checked =
  (schema: z.ZodType<string>) =>
  (text: string): string => {
    const parsed = schema.safeParse(text);
    if (parsed.success) return parsed.data;
    throw new InvalidArgumentError(parsed.error.issues[0]?.message ?? "");
  };

/** Ids are parts of addresses: only what can be one gets there. */
export const asName: (text: string) => string = checked(nameId);
export const nameArgument = (name: string, description: string): Argument =>
  createArgument(name, description).argParser(asName);
export const runArgument = (): Argument =>
  createArgument("<run>", "a run's id, as `runs list` shows it").argParser(checked(runId));
export const agentArgument = (): Argument =>
  createArgument("<agent>", "an agent's id, as `agents list` shows it").argParser(checked(randomId));
