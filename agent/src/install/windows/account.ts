/** Accounts that the service may run as (learn.microsoft.com, "Service User Accounts"), as their owner may name them. */
import { ConfigError } from "../../config-error.ts";
import { SERVICE } from "./layout.ts";

export interface ServiceAccount {
  /** As the service control manager calls it. */
  readonly name: string;
  /**
   * `virtual` is the service's own, `system` Local System, `builtIn` Network or Local Service; `managed` a gMSA, whose password
   * Windows fetches from the domain; `dedicated` anybody's with a password.
   */
  readonly kind: "virtual" | "system" | "builtIn" | "managed" | "dedicated";
}

export const DEFAULT_ACCOUNT: ServiceAccount = { name: `NT SERVICE\\${SERVICE}`, kind: "virtual" };

const KNOWN: readonly (ServiceAccount & { readonly also: readonly string[] })[] = [
  { ...DEFAULT_ACCOUNT, also: [SERVICE] },
  { name: "LocalSystem", kind: "system", also: ["SYSTEM", "Local System", "NT AUTHORITY\\SYSTEM", ".\\LocalSystem"] },
  {
    ...{ name: "NT AUTHORITY\\NetworkService", kind: "builtIn" },
    also: ["NetworkService", "Network Service", "NT AUTHORITY\\NETWORK SERVICE"],
  },
  {
    ...{ name: "NT AUTHORITY\\LocalService", kind: "builtIn" },
    also: ["LocalService", "Local Service", "NT AUTHORITY\\LOCAL SERVICE"],
  },
];

/** What no account's name may have (learn.microsoft.com, "Naming conventions in Active Directory"), and nothing that ends a text. */
const PART = String.raw`[^"/\\[\]:;|=,+*?<>@\x00-\x1f]{1,64}`;
const QUALIFIED = new RegExp(String.raw`^(?:(\.|${PART})\\(${PART})|(${PART})@([A-Za-z0-9.-]{1,255}))$`);

/** @throws ConfigError for what is no account, or one that is named without where it belongs */
export function parseAccount(text: string): ServiceAccount {
  const same = (one: string): boolean => one.toLowerCase() === text.toLowerCase();
  const known = KNOWN.find(({ name, also }) => [name, ...also].some(same));
  if (known !== undefined) return { name: known.name, kind: known.kind };
  const [, domain, user = "", principal] = QUALIFIED.exec(text) ?? [];
  if (domain === undefined && principal === undefined)
    throw new ConfigError(
      `${text} is no account's name: write DOMAIN\\name, .\\name for one of this machine, or name@domain`,
    );
  if (/^nt (service|authority)$/i.test(domain ?? ""))
    throw new ConfigError(`${text} is not an account for this service: its own is ${DEFAULT_ACCOUNT.name}`);
  const isManaged = (principal ?? user).endsWith("$");
  if (isManaged && domain === ".") throw new ConfigError(`${text}: a managed account is a domain's, DOMAIN\\name$`);
  return { name: text, kind: isManaged ? "managed" : "dedicated" };
}

/**
 * The password to hand over, as ChangeServiceConfigW wants it: null where Windows keeps it itself, empty where there is none.
 * @param given undefined where nobody gave one
 * @throws ConfigError where one is missing, or not wanted
 */
export function passwordFor({ name, kind }: ServiceAccount, given: string | undefined): string | null {
  if (kind === "dedicated") {
    if (given === undefined || given === "")
      throw new ConfigError(
        `${name} has a password: give it by --password-file FILE, or --password-file - for the standard input`,
      );
    return given;
  }
  if (given !== undefined) throw new ConfigError(`${name} needs no password: Windows knows it`);
  return kind === "virtual" || kind === "managed" ? null : "";
}

/** Whether Windows gives the account the right to be a service's by itself; the others have to be given it. */
export const needsLogonRight = ({ kind }: ServiceAccount): boolean => kind === "dedicated" || kind === "managed";
