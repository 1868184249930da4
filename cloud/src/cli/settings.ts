/** Where the orchestrator is and who asks: options first, then the environment. */
import { readFileSync } from "node:fs";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { CliError, EXIT } from "./exit.ts";
import { readSecretFile } from "./secret.ts";

/** Options of every verb. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly url?: string;
  readonly tenant?: string;
  readonly keyFile?: string;
  readonly ca?: string;
}

export interface Settings {
  /** `https://host[:port]` */
  readonly origin: string;
  readonly key: string;
  /** PEM of authorities trusted beside the system's and those of NODE_EXTRA_CA_CERTS. */
  readonly caPem: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The one reader of this command line's environment. */
export const environment: Environment = process.env;

/** @throws CliError with exit code 78 for what is missing or wrong */
export function readSettings(options: CommonOptions): Settings {
  const origin = originOf(options.url ?? environment.SALLYPORT_URL);
  const key = keyOf(options.keyFile ?? environment.SALLYPORT_KEY_FILE, environment.SALLYPORT_API_KEY);
  return { origin, key, caPem: options.ca === undefined ? undefined : readCa(options.ca) };
}

/** @throws CliError with exit code 64 */
export function readTenant(options: CommonOptions): string {
  const tenant = options.tenant ?? environment.SALLYPORT_TENANT;
  if (tenant === undefined || tenant === "") {
    throw new CliError(EXIT.usage, "No tenant is given.", "Add --tenant ID, or set SALLYPORT_TENANT.");
  }
  const parsed = nameId.safeParse(tenant);
  if (!parsed.success) throw new CliError(EXIT.usage, "That is no tenant's id.", "Use 1 to 40 of a-z, 0-9 and -.");
  return parsed.data;
}

function originOf(text: string | undefined): string {
  if (text === undefined || text === "") {
    throw new CliError(
      EXIT.configuration,
      "It is not said where the orchestrator is.",
      "Set SALLYPORT_URL, for example https://sallyport-contoso.azurewebsites.net, or add --url.",
    );
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== "https:") {
    throw new CliError(
      EXIT.configuration,
      "The orchestrator's URL is refused: only https: is used.",
      "Mend SALLYPORT_URL.",
    );
  }
  if (url.username !== "" || url.password !== "" || url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    const next = `Only scheme, host and port belong there: https://${url.host}`;
    throw new CliError(EXIT.configuration, "The orchestrator's URL holds more than an origin.", next);
  }
  return url.origin;
}

/** A file that is named wins: whoever names it means it. */
function keyOf(file: string | undefined, fromEnvironment: string | undefined): string {
  const key = file === undefined || file === "" ? fromEnvironment : readSecretFile(file, "an API key");
  if (key === undefined || key === "") {
    throw new CliError(EXIT.configuration, "There is no API key.", "Set SALLYPORT_API_KEY, or add --key-file FILE.");
  }
  if (!/^[\x21-\x7e]{1,256}$/.test(key)) {
    throw new CliError(EXIT.configuration, "The API key is not one line of text.", "Keys look like sp_name_….");
  }
  return key;
}

function readCa(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw new CliError(
      EXIT.configuration,
      `${file} cannot be read (${code}).`,
      "--ca names a file of certificates in PEM.",
    );
  }
}
