/** `sallyportctl login`: who asks, and where, kept in a file that only its owner reads. */
import type { Command } from "commander";
import { z } from "zod";
import { connectApi } from "./api.ts";
import { ApiProblem, CliError, EXIT } from "./exit.ts";
import { createOutput, fail } from "./print.ts";
import { forgetLogin, saveLogin } from "./saved-login.ts";
import { askSecret, readSecretFile } from "./secret.ts";
import { type CommonOptions, LOGIN_FILE, readCa, readOrigin, readTenant } from "./settings.ts";
import { verb } from "./verb.ts";

interface LoginOptions extends CommonOptions {
  readonly forget?: boolean;
}

export function addLogin(program: Command): void {
  const command = verb(
    program,
    "login",
    "keeps the address, an API key and the tenant for later calls; the key is asked for, or piped",
    "login --url https://sallyport-contoso.azurewebsites.net --tenant contoso",
    "login --url https://sallyport-contoso.azurewebsites.net --key-file first.key",
    "login --forget",
  ).option("--forget", "deletes what is kept");
  command.action(async () => {
    const options = command.opts<LoginOptions>();
    try {
      await login(options);
    } catch (error) {
      fail(error, options.json === true);
    }
  });
}

async function login(options: LoginOptions): Promise<void> {
  const { print } = createOutput(options.json === true);
  if (options.forget) {
    forgetLogin(LOGIN_FILE);
    return print({ forgotten: LOGIN_FILE }, [
      `${LOGIN_FILE} is gone. The key still works: sallyportctl keys revoke ends it.`,
    ]);
  }
  const origin = readOrigin(options);
  const tenant = options.tenant === undefined ? undefined : readTenant(options);
  const key =
    options.keyFile === undefined
      ? await askSecret("API key (not shown): ")
      : readSecretFile(options.keyFile, "an API key");
  await demandValid(origin, key, options.ca);
  saveLogin(LOGIN_FILE, { v: 1, origin, key, ...(tenant && { tenant }), ...(options.ca && { ca: options.ca }) });
  print({ origin, tenant: tenant ?? null, file: LOGIN_FILE }, [
    `${origin} takes the key. It is in ${LOGIN_FILE}, which only you can read.`,
    tenant === undefined ? "Next: sallyportctl tenants list" : `Next: sallyportctl pulls list`,
  ]);
}

/** One call that any valid key may make, or is refused for its scope. @throws ApiProblem, CliError */
async function demandValid(origin: string, key: string, ca: string | undefined): Promise<void> {
  if (!/^[\x21-\x7e]{1,256}$/.test(key)) {
    throw new CliError(EXIT.configuration, "The API key is not one line of text.", "Keys look like sp_name_….");
  }
  const api = connectApi({ origin, key, caPem: readCa(ca) });
  try {
    await api.get("/tenants?limit=1", z.array(z.unknown()));
  } catch (thrown) {
    if (!(thrown instanceof ApiProblem) || thrown.problem.status !== 403) throw thrown;
  } finally {
    api.close();
  }
}
