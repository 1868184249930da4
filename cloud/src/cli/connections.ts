/** `sallyportctl connections list|create|credential|test|remove`. */
import { newConnection } from "@sallyport/shared/schema/api.ts";
import { connectionTest } from "@sallyport/shared/schema/api-requests.ts";
import { plain } from "@sallyport/shared/terminal.ts";
import { type Command, createOption } from "commander";
import { createdConnection, listedConnection } from "./answers.ts";
import { addStore } from "./credentials.ts";
import { EXIT } from "./exit.ts";
import { table } from "./print.ts";
import { addRemove } from "./remove.ts";
import type { CommonOptions } from "./settings.ts";
import { asName, does, nameArgument, verb } from "./verb.ts";
import { count, yesNo } from "./words.ts";

interface CreateOptions extends CommonOptions {
  readonly site: string;
  readonly kind: string;
}
export function addConnections(program: Command): void {
  const connections = program.command("connections").description("systems that a site's policy names");
  does(
    verb(connections, "list", "all connections of the tenant", "connections list --tenant contoso"),
    async (call) => {
      const all = await call.api.list(`${call.tenantPath()}/connections`, listedConnection);
      const rows = all.map(({ id, site, kind, hasCredential }) => [id, site, kind, yesNo(hasCredential)]);
      const none = [`Tenant ${call.tenant()} has no connection.`];
      call.print(all, all.length === 0 ? none : table(["CONNECTION", "SITE", "KIND", "CREDENTIAL"], rows));
    },
  );
  does<CreateOptions>(
    verb(
      connections,
      "create",
      "adds a connection by the name it has in the agent's policy",
      "connections create erp --site oslo",
    )
      .addArgument(nameArgument("<id>", "its name in the policy"))
      .requiredOption("--site <id>", "whose agents reach it", asName)
      .addOption(
        createOption("--kind <kind>", "what it is").choices(newConnection.shape.kind.options).default("mssql"),
      ),
    async ({ api, print, tenantPath }, { site, kind }, id = "") => {
      const made = await api.post(`${tenantPath()}/connections`, { id, site, kind }, createdConnection);
      const next = `Next: sallyportctl connections credential ${made.id} --login NAME`;
      print(made, [`Connection ${made.id} (${made.kind} at ${made.site}) is there.`, next]);
    },
  );
  addStore(connections, "credential");
  does(
    verb(
      connections,
      "test",
      "lets an agent go the whole way to the system, and says where it ended: exit 0 ok, 1 not",
      "connections test erp --tenant contoso",
    ).addArgument(nameArgument("<connection>", "which")),
    async ({ api, print, tenantPath, coloured }, _, connection = "") => {
      const told = await api.post(`${tenantPath()}/connections/${connection}/test`, {}, connectionTest);
      if (!told.ok) process.exitCode = EXIT.no;
      const rows = told.checks.map(({ check, state, error }) => [
        check,
        state,
        error === null ? "" : `${error.code}: ${error.message}`,
      ]);
      const advice = told.checks.flatMap(({ error }) => (error === null ? [] : [plain(error.advice)]));
      const paint = (cell: string, head: string) => (head === "STATE" ? coloured(cell) : cell);
      const shown = told.shown === null ? [] : [`The policy shows ${count(told.shown)} of its tables or classes.`];
      print(told, [...table(["CHECK", "STATE", "WHAT"], rows, paint), ...advice, ...shown]);
    },
  );
  addRemove(connections, {
    what: "connection",
    about: "ends a connection that no pull reads from, and deletes its credential",
    example: "erp",
    follows: "would be gone, and its credential deleted from the secret store.",
    afterwards: "So is its credential; the agent's policy still names the system until its owner takes it out.",
  });
}
