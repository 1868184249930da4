/** `sallyportctl connections list|create|credential`. */
import { readFileSync } from "node:fs";
import { parseJson } from "@sallyport/shared/json.ts";
import { newConnection, type SealedFile, sealedCredential } from "@sallyport/shared/schema/api.ts";
import { type Command, createOption } from "commander";
import { z } from "zod";
import { createdConnection, listedConnection, storedCredential } from "./answers.ts";
import { CliError, EXIT } from "./exit.ts";
import { table } from "./print.ts";
import { askSecret, readSecretFile } from "./secret.ts";
import type { CommonOptions } from "./settings.ts";
import { asName, does, nameArgument, verb } from "./verb.ts";
import { yesNo } from "./words.ts";

interface CreateOptions extends CommonOptions {
  readonly site: string;
  readonly kind: string;
}
interface CredentialOptions extends CommonOptions {
  readonly user?: string;
  readonly sealed?: string;
  readonly passwordFile?: string;
}

/** @throws CliError when the file is not what `sallyport credential seal` writes */
function readSealed(file: string): SealedFile {
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new CliError(EXIT.configuration, `${file} cannot be read.`, "Name the file that the customer sent.");
  }
  const parsed = sealedCredential.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const next = "Ask for the file that `sallyport credential seal` wrote, as it is.";
  throw new CliError(EXIT.configuration, `${file} holds no sealed credential.`, next);
}

export function addConnections(program: Command): void {
  const connections = program.command("connections").description("systems that a site's policy names");
  does(
    verb(connections, "list", "all connections of the tenant", "connections list --tenant contoso"),
    async (call) => {
      const all = await call.api.get(`${call.tenantPath()}/connections`, z.array(listedConnection));
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
      const next = `Next: sallyportctl connections credential ${made.id} --user LOGIN`;
      print(made, [`Connection ${made.id} (${made.kind} at ${made.site}) is there.`, next]);
    },
  );
  does<CredentialOptions>(
    verb(
      connections,
      "credential",
      "stores the login that sessions use; the password is asked for, or piped, and never read back",
      "connections credential erp --user svc_sallyport --tenant contoso",
      "connections credential erp --user svc_sallyport --password-file erp.password",
      "connections credential erp --sealed erp.sealed.json",
    )
      .addArgument(nameArgument("<connection>", "which"))
      .option("--user <login>", "the login's name")
      .option("--password-file <file>", "its password in a file of mode 0600")
      .addOption(
        createOption("--sealed <file>", "what the customer sealed with `sallyport credential seal`").conflicts([
          "user",
          "passwordFile",
        ]),
      ),
    async ({ api, print, tenantPath }, { user, passwordFile, sealed }, connection = "") => {
      const path = `${tenantPath()}/connections/${connection}/credential`;
      if (sealed !== undefined) {
        const stored = await api.put(path, readSealed(sealed), storedCredential);
        return print(stored, [`The sealed credential of ${stored.connection} is stored; nobody here can open it.`]);
      }
      if (user === undefined) {
        throw new CliError(EXIT.usage, "Whose credential is it?", "Give --user LOGIN, or --sealed FILE.");
      }
      const password =
        passwordFile === undefined
          ? await askSecret(`Password of ${user} (not shown): `)
          : readSecretFile(passwordFile, "a password");
      if (password === "") throw new CliError(EXIT.usage, "The password is empty.", "Nothing was stored.");
      const stored = await api.put(path, { user, password }, storedCredential);
      print(stored, [`The credential of ${stored.connection} is stored.`]);
    },
  );
}
