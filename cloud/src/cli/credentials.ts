/** `sallyportctl connections credential`, and the same as `credentials store`, which scripts may still say. */
import { readFileSync } from "node:fs";
import { parseJson } from "@sallyport/shared/json.ts";
import { type SealedFile, sealedCredential } from "@sallyport/shared/schema/api.ts";
import { type Command, createOption } from "commander";
import { storedCredential } from "./answers.ts";
import { CliError, EXIT } from "./exit.ts";
import { askSecret, readSecretFile } from "./secret.ts";
import type { CommonOptions } from "./settings.ts";
import { type Call, does, nameArgument, verb } from "./verb.ts";

interface CredentialOptions extends CommonOptions {
  readonly login?: string;
  /** What `--login` was called. */
  readonly user?: string;
  readonly sealed?: string;
  readonly passwordFile?: string;
  readonly signIn?: string;
}

export function addCredentials(program: Command): void {
  const credentials = program
    .command("credentials", { hidden: true })
    .description("logins of connections; none is ever read back");
  addStore(credentials, "store");
}

/** Adds the verb, by whichever name its noun gives it. */
export function addStore(noun: Command, name: string): void {
  const called = `${noun.name()} ${name}`;
  does<CredentialOptions>(
    verb(
      noun,
      name,
      "stores the login that sessions use; the password is asked for, or piped, and never read back",
      `${called} erp --login svc_sallyport --tenant contoso`,
      `${called} erp --login svc_sallyport --password-file erp.password`,
      `${called} erp --sealed erp.sealed.json`,
    )
      .addArgument(nameArgument("<connection>", "which"))
      .option("--login <name>", "the login's name")
      .addOption(createOption("--user <name>", "the same").conflicts("login").hideHelp())
      .option("--password-file <file>", "its password in a file of mode 0600")
      .addOption(
        createOption(
          "--sign-in <way>",
          "sql (the default) or windowsNtlm; to a directory simple (the default), negotiate or ntlm",
        ).choices(["sql", "windowsNtlm", "simple", "negotiate", "ntlm"]),
      )
      .addOption(
        createOption("--sealed <file>", "what the customer sealed with `sallyport credential seal`").conflicts([
          "login",
          "user",
          "passwordFile",
          "signIn",
        ]),
      ),
    store,
  );
}

async function store(call: Call, options: CredentialOptions, connection = ""): Promise<void> {
  const { login: user = options.user, passwordFile, sealed, signIn } = options;
  const path = `${call.tenantPath()}/connections/${connection}/credential`;
  if (sealed !== undefined) {
    const stored = await call.api.put(path, readSealed(sealed), storedCredential);
    return call.print(stored, [`The sealed credential of ${stored.connection} is stored; nobody here can open it.`]);
  }
  if (user === undefined) {
    throw new CliError(EXIT.usage, "Whose credential is it?", "Give --login NAME, or --sealed FILE.");
  }
  const password =
    passwordFile === undefined
      ? await askSecret(`Password of ${user} (not shown): `)
      : readSecretFile(passwordFile, "a password");
  if (password === "") throw new CliError(EXIT.usage, "The password is empty.", "Nothing was stored.");
  const body = { user, password, ...(signIn !== undefined && { signIn }) };
  const stored = await call.api.put(path, body, storedCredential);
  call.print(stored, [`The credential of ${stored.connection} is stored.`]);
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
