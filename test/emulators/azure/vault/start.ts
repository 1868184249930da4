/** A Key Vault on loopback: secrets and EC keys as `@azure/keyvault-secrets` and `@azure/keyvault-keys` speak with them. */
import { type Answer, Refusal, refusal } from "../errors.ts";
import { type Request, type Service, startService } from "../https.ts";
import { authenticator, type Caller, type Issuer } from "../tokens.ts";
import { answerDeletedKeys, answerKeys, type Key, newKey } from "./keys.ts";
import { type Objects, objectsOf } from "./objects.ts";
import type { VaultCall } from "./route.ts";
import { answerDeletedSecrets, answerSecrets, type Secret } from "./secrets.ts";

export interface VaultOptions {
  readonly tls: { readonly key: string; readonly cert: string };
  /** Rights are data actions without their provider: `secrets/getSecret/action`, `keys/sign/action`, `keys/read`. */
  readonly issuer: Issuer;
  /** On by default, as where infra/ made the vault: what is deleted stays recoverable. */
  readonly purgeProtection?: boolean;
  /** Keys that are there from the start, as a deployment makes them. */
  readonly keys?: readonly string[];
}

export interface Vault extends Service {
  /** What a test may look at behind the wire. */
  readonly secrets: Objects<Secret>;
  readonly keys: Objects<Key>;
}

const RESOURCE = "https://vault.azure.net";
const API_VERSION = /^(7\.[0-6]|202[5-9]-\d\d-\d\d)$/;
const TENANT = "00000000-0000-0000-0000-5a1179047000";
/** Key Vault refuses bodies over this. */
const MAX_BODY_BYTES = 256 * 1024;

export async function startVault({
  tls,
  issuer,
  purgeProtection = true,
  keys: first = [],
}: VaultOptions): Promise<Vault> {
  const authenticate = await authenticator(issuer, [RESOURCE]);
  let lastSeconds = 0;
  // Versions of one second are told apart by their order, as the service's clock is finer than what it shows.
  const nowSeconds = () => (lastSeconds = Math.max(lastSeconds + 1, Math.floor(Date.now() / 1000)));
  const secrets = objectsOf<Secret>("Secret", nowSeconds, purgeProtection);
  const keys = objectsOf<Key>("Key", nowSeconds, purgeProtection);
  for (const name of first) keys.add(name, newKey("EC", ["sign", "verify"]));
  const service = await startService({
    tls,
    maxBodyBytes: MAX_BODY_BYTES,
    answer: async (request, { url: base }) => {
      const caller = await authenticate(request.headers.authorization);
      if (caller === undefined) throw challenge();
      return answerCall({ secrets, keys }, request, base, caller);
    },
  });
  return { ...service, secrets, keys };
}

function answerCall(
  { secrets, keys }: { secrets: Objects<Secret>; keys: Objects<Key> },
  { method, url, body }: Request,
  base: string,
  caller: Caller,
): Answer {
  const version = url.searchParams.get("api-version");
  if (version === null) throw refusal(400, "BadParameter", "The api-version parameter is missing.");
  if (!API_VERSION.test(version))
    throw refusal(400, "BadParameter", `The specified version (${version}) is not recognized.`);
  const [collection = "", ...parts] = url.pathname.split("/").slice(1).map(decodeURIComponent);
  const allow = (action: string): void => {
    if (!caller.may(action))
      throw refusal(
        403,
        "Forbidden",
        `Caller is not authorized to perform action on resource. Action: 'Microsoft.KeyVault/vaults/${action}'`,
        "ForbiddenByRbac",
      );
  };
  const call: VaultCall = { method, parts: parts.filter((part) => part !== ""), body, base, allow };
  // `/keys/NAME//sign` is the newest version's: an empty part in the middle counts.
  const withEmpty: VaultCall = { ...call, parts: trimEnd(parts) };
  if (collection === "secrets") return answerSecrets(secrets, call);
  if (collection === "deletedsecrets") return answerDeletedSecrets(secrets, call);
  if (collection === "keys") return answerKeys(keys, withEmpty);
  if (collection === "deletedkeys") return answerDeletedKeys(keys, call);
  throw refusal(404, "NotFound", "There is no such collection.");
}

const trimEnd = (parts: readonly string[]): string[] =>
  parts.at(-1) === "" ? trimEnd(parts.slice(0, -1)) : [...parts];

/** The first answer to anybody: which directory to ask, and what for. */
const challenge = (): Refusal =>
  new Refusal({
    status: 401,
    headers: {
      "www-authenticate": `Bearer authorization="https://login.microsoftonline.com/${TENANT}", resource="${RESOURCE}"`,
    },
    body: { error: { code: "Unauthorized", message: "AKV10000: Request is missing a Bearer or PoP token." } },
  });
