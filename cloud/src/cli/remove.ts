/** `sallyportctl pulls|connections|sites remove`. */
import { removed } from "@sallyport/shared/schema/api-views.ts";
import type { Command } from "commander";
import type { CommonOptions } from "./settings.ts";
import { demandYes, does, nameArgument, verb } from "./verb.ts";

interface RemoveOptions extends CommonOptions {
  readonly yes?: boolean;
}

/** What is removed, and what people should know before and after. */
export interface Removal {
  /** `pull` */
  readonly what: string;
  readonly about: string;
  /** An id for the example. */
  readonly example: string;
  /** What would follow, as a sentence without its subject. */
  readonly follows: string;
  readonly afterwards: string;
}

/** Adds the verb `remove` to a noun whose records are below the path of its name. */
export function addRemove(noun: Command, { what, about, example, follows, afterwards }: Removal): void {
  does<RemoveOptions>(
    verb(noun, "remove", about, `${noun.name()} remove ${example} --tenant contoso --yes`)
      .addArgument(nameArgument(`<${what}>`, "which"))
      .option("--yes", "do it"),
    async ({ api, print, tenantPath }, options, id = "") => {
      const named = `${what[0]?.toUpperCase()}${what.slice(1)} ${id}`;
      demandYes(options, `${named} ${follows}`);
      const gone = await api.delete(`${tenantPath()}/${noun.name()}/${id}`, removed);
      print(gone, [`${named} is removed. ${afterwards}`.trimEnd()]);
    },
  );
}
