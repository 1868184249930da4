/** Where the orchestrator is and who asks: options first, then the environment. */
import { homedir } from "node:os";
import { join } from "node:path";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { CliError, EXIT } from "./exit.ts";
import { readLogin } from "./saved-login.ts";
import { readSecretFile } from "./secret.ts";
import { readTextFile } from "./text-file.ts";

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

/** Of `login`: below XDG_CONFIG_HOME, or ~/.config (https://specifications.freedesktop.org/basedir-spec). */
export const LOGIN_FILE: string = join(
  environment.XDG_CONFIG_HOME || join(environment.HOME || homedir(), ".config"),
  "sallyport/login.json",
);

/** @throws CliError with exit code 78 for what is missing or wrong */
export function readSettings(options: CommonOptions): Settings {
  const given = options.url ?? environment.SALLYPORT_URL;
  const file = options.keyFile ?? environment.SALLYPORT_KEY_FILE;
  const named = file === undefined || file === "" ? environment.SALLYPORT_API_KEY : readSecretFile(file, "an API key");
  // Only what is missing is looked for there; and a key that was kept goes to the address that it was kept for.
  const login =
    given === undefined || given === "" || named === undefined || named === "" ? readLogin(LOGIN_FILE) : undefined;
  const origin = originOf(given || login?.origin);
  const kept = login?.origin === origin ? login : undefined;
  return { origin, key: checkedKey(named || kept?.key), caPem: readCa(options.ca ?? kept?.ca) };
}

/** @throws CliError with exit code 78 */
export const readOrigin = (options: CommonOptions): string => originOf(options.url ?? environment.SALLYPORT_URL);

/** @throws CliError with exit code 64 */
export function readTenant(options: CommonOptions): string {
  const tenant = options.tenant ?? environment.SALLYPORT_TENANT ?? readLogin(LOGIN_FILE)?.tenant;
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

function checkedKey(key: string | undefined): string {
  if (key === undefined || key === "") {
    const next = "Set SALLYPORT_API_KEY, add --key-file FILE, or log in: sallyportctl login";
    throw new CliError(EXIT.configuration, "There is no API key.", next);
  }
  if (!/^[\x21-\x7e]{1,256}$/.test(key)) {
    throw new CliError(EXIT.configuration, "The API key is not one line of text.", "Keys look like sp_name_….");
  }
  return key;
}

/** @throws CliError with exit code 78 */
export const readCa = (file: string | undefined): string | undefined =>
  file === undefined ? undefined : readTextFile(file, "--ca names a file of certificates in PEM.");
