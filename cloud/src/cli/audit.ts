/** `sallyportctl audit list`: who changed what. */
import { auditView } from "@sallyport/shared/schema/api-views.ts";
import { type Command, InvalidArgumentError } from "commander";
import { table } from "./print.ts";
import type { CommonOptions } from "./settings.ts";
import { does, verb } from "./verb.ts";
import { when } from "./words.ts";

interface ListOptions extends CommonOptions {
  readonly lines: number;
  readonly platform?: boolean;
}

export function addAudit(program: Command): void {
  const audit = program.command("audit").description("who changed what, and when");
  does<ListOptions>(
    verb(
      audit,
      "list",
      "changes to the tenant, newest first",
      "audit list --tenant contoso",
      "audit list --platform -n 100",
    )
      .option("-n, --lines <count>", "how many at most, up to 1000", asLines, 20)
      .option("--platform", "changes above tenants: tenants themselves, keys, ticks by hand"),
    async ({ api, print, tenantPath }, { lines, platform }) => {
      const path = platform ? "/audit" : `${tenantPath()}/audit`;
      const all = await api.list(`${path}?limit=${lines}`, auditView, lines);
      const rows = all.map(({ at, who, what, on, outcome }) => [
        when(at, Date.now()),
        who,
        what,
        Object.entries(on)
          .map(([name, value]) => `${name}=${value}`)
          .join(" "),
        outcome ?? "unknown",
      ]);
      print(all, all.length === 0 ? ["Nothing was changed."] : table(["TIME", "WHO", "WHAT", "ON", "OUTCOME"], rows));
    },
  );
}

function asLines(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1000) return value;
  throw new InvalidArgumentError("give a number from 1 to 1000");
}
