/** `sallyportctl keys list|create|rotate|revoke`: API keys, made by keys that belong to no tenant. */

import { type Restriction, type Scope, scope } from "@sallyport/shared/schema/api.ts";
import { rotatedKey } from "@sallyport/shared/schema/api-views.ts";
import { plain } from "@sallyport/shared/terminal.ts";
import { type Command, InvalidArgumentError } from "commander";
import { createdKey, keyView, revokedKey } from "./answers.ts";
import { table } from "./print.ts";
import { openSecretFile } from "./secret.ts";
import type { CommonOptions } from "./settings.ts";
import { asName, demandYes, does, nameArgument, verb } from "./verb.ts";
import { when } from "./words.ts";

interface CreateOptions extends CommonOptions {
  readonly scope: readonly Scope[];
  readonly allTenants?: boolean;
  readonly days?: number;
  readonly save?: string;
  readonly onlySite?: readonly string[];
  readonly onlyConnection?: readonly string[];
  readonly onlyPull?: readonly string[];
}
interface RotateOptions extends CommonOptions {
  readonly save?: string;
  readonly overlapHours: number;
}
interface RevokeOptions extends CommonOptions {
  readonly yes?: boolean;
}

const DAY_MS = 86_400_000;

export function addKeys(program: Command): void {
  const keys = program.command("keys").description("API keys");
  does(verb(keys, "list", "all keys, without their secrets", "keys list"), async ({ api, print }) => {
    const all = await api.list("/keys", keyView);
    const now = Date.now();
    const rows = all.map((key) => [
      key.id,
      key.tenant ?? "(all)",
      key.revokedAt === null ? when(key.expiresAt, now) : `revoked ${when(key.revokedAt, now)}`,
      when(key.lastUsedAt, now),
      [...key.scopes, ...restrictions(key.only)].join(" "),
    ]);
    const none = ["There is no key but the first."];
    print(all, all.length === 0 ? none : table(["KEY", "TENANT", "EXPIRES", "USED", "SCOPES"], rows));
  });
  does<CreateOptions>(
    verb(
      keys,
      "create",
      "a key for one tenant, or with --all-tenants for all; its text is shown, or saved, this once",
      "keys create night-watch --tenant contoso --scope runs:read --scope pulls:read --save night-watch.key",
    )
      .addArgument(nameArgument("<id>", "its name; stands in agents' journals"))
      .requiredOption("--scope <scope>", `what it may do; repeat it. One of ${scope.options.join(", ")}`, oneMore)
      .option("--all-tenants", "for the platform team's own keys")
      .option("--only-site <id>", "for what is at this site only; repeat it", oneMoreName)
      .option("--only-connection <id>", "for this connection only; repeat it", oneMoreName)
      .option("--only-pull <id>", "for this pull only; repeat it", oneMoreName)
      .option("--days <count>", "valid for so long; for ever otherwise", asDays)
      .option("--save <file>", "into a new file of mode 0600, and not on the screen"),
    async ({ api, print, tenant }, options, id = "") => {
      const { scope: scopes, allTenants, days, save, onlySite, onlyConnection, onlyPull } = options;
      const only = {
        ...(onlySite && { sites: onlySite }),
        ...(onlyConnection && { connections: onlyConnection }),
        ...(onlyPull && { pulls: onlyPull }),
      };
      const restricted = Object.keys(only).length === 0 ? {} : { only };
      const expires = days === undefined ? {} : { expiresAt: new Date(Date.now() + days * DAY_MS).toISOString() };
      const whose = allTenants ? null : tenant();
      // Opened before the key is made: one that could not be saved would be lost, and its name taken.
      const file = save === undefined ? undefined : openSecretFile(save);
      try {
        const made = await api.post("/keys", { id, tenant: whose, scopes, ...restricted, ...expires }, createdKey);
        file?.write(made.key);
        if (file === undefined) print(made, [plain(made.key)]);
        else print({ id: made.id, saved: save }, [`Key ${made.id} is in ${save}.`]);
      } catch (error) {
        file?.remove();
        throw error;
      }
    },
  );
  does<RotateOptions>(
    verb(
      keys,
      "rotate",
      "a new secret for a key; the one before works too until the overlap is over",
      "keys rotate night-watch --save night-watch-2.key",
    )
      .addArgument(nameArgument("<id>", "which"))
      .option("--save <file>", "into a new file of mode 0600, and not on the screen")
      .option("--overlap-hours <count>", "0 to 720; 0 ends the old one at once", asHours, 24),
    async ({ api, print }, { save, overlapHours }, id = "") => {
      const file = save === undefined ? undefined : openSecretFile(save);
      try {
        const made = await api.post(`/keys/${id}/rotate`, { overlapSeconds: overlapHours * 3600 }, rotatedKey);
        file?.write(made.key);
        const until = `The secret before works until ${made.overlapUntil ?? "now"}.`;
        if (file === undefined) print(made, [plain(made.key), until]);
        else
          print({ id: made.id, saved: save, overlapUntil: made.overlapUntil }, [
            `Key ${made.id} is in ${save}. ${until}`,
          ]);
      } catch (error) {
        file?.remove();
        throw error;
      }
    },
  );
  does<RevokeOptions>(
    verb(keys, "revoke", "ends a key for good", "keys revoke night-watch --yes")
      .addArgument(nameArgument("<id>", "which"))
      .option("--yes", "do it"),
    async ({ api, print }, options, id = "") => {
      demandYes(options, `Key ${id} would stop working at once, and its name is not given again.`);
      const { revokedAt } = await api.post(`/keys/${id}/revoke`, {}, revokedKey);
      print({ id, revokedAt }, [`Key ${id} is revoked.`]);
    },
  );
}

const oneMore = (text: string, before: readonly Scope[] | undefined): readonly Scope[] => {
  const parsed = scope.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError("there is no such scope");
  return [...(before ?? []), parsed.data];
};

function asDays(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 3650) return value;
  throw new InvalidArgumentError("give a number from 1 to 3650");
}

const oneMoreName = (text: string, before: readonly string[] = []): readonly string[] => [...before, asName(text)];

function asHours(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 720) return value;
  throw new InvalidArgumentError("give a number from 0 to 720");
}

/** `only:pull=orders` and so on. */
const restrictions = (only: Restriction | null): string[] =>
  Object.entries(only ?? {}).flatMap(([what, ids = []]) => ids.map((id) => `only:${what.slice(0, -1)}=${id}`));
