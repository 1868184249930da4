/** `sallyportctl tenants list|create`. */
import { plain } from "@sallyport/shared/terminal.ts";
import type { Command } from "commander";
import { z } from "zod";
import { named } from "./answers.ts";
import { table } from "./print.ts";
import type { CommonOptions } from "./settings.ts";
import { does, nameArgument, verb } from "./verb.ts";

interface CreateOptions extends CommonOptions {
  readonly name?: string;
}

export function addTenants(program: Command): void {
  const tenants = program.command("tenants").description("customer organisations");
  does(verb(tenants, "list", "all tenants; needs tenants:write", "tenants list"), async ({ api, print }) => {
    const all = await api.get("/tenants", z.array(named));
    print(all, all.length === 0 ? ["There is no tenant yet."] : table(["TENANT", "NAME"], all.map(namedRow)));
  });
  does<CreateOptions>(
    verb(
      tenants,
      "create",
      "adds a tenant; the same again changes nothing",
      'tenants create contoso --name "Contoso Ltd"',
    )
      .addArgument(nameArgument("<id>", "1 to 40 of a-z, 0-9 and -"))
      .option("--name <text>", "as people call it; the id otherwise"),
    async ({ api, print }, { name }, id = "") => {
      const made = await api.post("/tenants", { id, name: name ?? id }, named);
      print(made, [`Tenant ${made.id} (${plain(made.name)}) is there.`]);
    },
  );
}

export const namedRow = ({ id, name }: z.infer<typeof named>): string[] => [id, name];
