/** `sallyportctl codes create`: what the customer's administrator types into `sallyport enroll`. */
import type { Command } from "commander";
import { createdCode } from "./answers.ts";
import { facts } from "./print.ts";
import type { CommonOptions } from "./settings.ts";
import { asName, does, verb } from "./verb.ts";
import { when } from "./words.ts";

interface CreateOptions extends CommonOptions {
  readonly site: string;
  readonly autoApprove?: boolean;
}

export function addCodes(program: Command): void {
  const codes = program.command("codes").description("enrolment codes for agents");
  does<CreateOptions>(
    verb(
      codes,
      "create",
      "a code for one agent, shown once, valid for 15 minutes",
      "codes create --site oslo --tenant contoso",
      "codes create --site oslo --auto-approve --json | jq -r .code",
    )
      .requiredOption("--site <id>", "where the agent will be", asName)
      .option("--auto-approve", "the agent needs no approval; takes the scope agents:approve too"),
    async ({ api, print, tenantPath }, { site, autoApprove = false }) => {
      const made = await api.post(`${tenantPath()}/sites/${site}/codes`, { autoApprove }, createdCode);
      print(made, [
        ...facts([
          ["CODE", made.code],
          ["EXPIRES", when(made.expiresAt, Date.now())],
        ]),
        "Tell it to the customer's administrator by a way you trust: sallyport enroll asks for it.",
      ]);
    },
  );
}
