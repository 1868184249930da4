/** `sallyportctl sites list|create|remove`. */
import { plain } from "@sallyport/shared/terminal.ts";
import type { Command } from "commander";
import { named } from "./answers.ts";
import { table } from "./print.ts";
import { addRemove } from "./remove.ts";
import type { CommonOptions } from "./settings.ts";
import { namedRow } from "./tenants.ts";
import { does, nameArgument, verb } from "./verb.ts";

interface CreateOptions extends CommonOptions {
  readonly name?: string;
}

export function addSites(program: Command): void {
  const sites = program.command("sites").description("places of a tenant behind one firewall");
  does(verb(sites, "list", "all sites of the tenant", "sites list --tenant contoso"), async (call) => {
    const all = await call.api.list(`${call.tenantPath()}/sites`, named);
    const none = [`Tenant ${call.tenant()} has no site.`];
    call.print(all, all.length === 0 ? none : table(["SITE", "NAME"], all.map(namedRow)));
  });
  does<CreateOptions>(
    verb(
      sites,
      "create",
      "adds a site; the same again changes nothing",
      "sites create oslo --name Oslo --tenant contoso",
    )
      .addArgument(nameArgument("<id>", "1 to 40 of a-z, 0-9 and -"))
      .option("--name <text>", "as people call it; the id otherwise"),
    async ({ api, print, tenantPath }, { name }, id = "") => {
      const made = await api.post(`${tenantPath()}/sites`, { id, name: name ?? id }, named);
      const next = `Next: sallyportctl codes create --site ${made.id}`;
      print(made, [`Site ${made.id} (${plain(made.name)}) is there.`, next]);
    },
  );
  addRemove(sites, {
    what: "site",
    about: "ends a site without connections, whose agents are all revoked",
    example: "oslo",
    follows: "would be gone.",
    afterwards: "",
  });
}
