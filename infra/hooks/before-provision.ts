/**
 * azd runs this before it provisions: registers the resource providers that the templates use, and makes the first admin key. The key
 * is printed once and kept nowhere; azd's environment, and so Azure, gets its SHA-256.
 */
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const PROVIDERS: readonly string[] = [
  "Microsoft.AlertsManagement",
  "Microsoft.Insights",
  "Microsoft.KeyVault",
  "Microsoft.ManagedIdentity",
  "Microsoft.OperationalInsights",
  "Microsoft.Relay",
  "Microsoft.ServiceBus",
  "Microsoft.Storage",
  "Microsoft.Web",
];
/** A plan of this kind joins a network by a delegation to `Microsoft.App`. */
export const NETWORK_PROVIDERS: readonly string[] = ["Microsoft.App", "Microsoft.Network"];

const API_VERSION = "2021-04-01";
/** Azure says that a registration takes minutes. */
const TRIES = 120;

export interface BeforeDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Azure Resource Manager, without a slash at its end. */
  readonly arm: string;
  /** A bearer token for it. */
  token(): Promise<string>;
  /** Keeps a value in azd's environment. */
  keep(name: string, value: string): Promise<void>;
  say(line: string): void;
  readonly pauseMs: number;
}

/** @throws Error naming what is missing, or the provider that was not registered */
export async function beforeProvision(deps: BeforeDeps): Promise<void> {
  const { env, say } = deps;
  const subscription = env.AZURE_SUBSCRIPTION_ID;
  // `azd up` asks for it before any hook runs; `azd provision` asks after this one.
  if (!subscription)
    throw new Error("AZURE_SUBSCRIPTION_ID is not set: azd env set AZURE_SUBSCRIPTION_ID ID, then run azd again.");
  const isPrivate = env.SALLYPORT_PRIVATE_NETWORK === "true";
  const wanted = [...PROVIDERS, ...(isPrivate ? NETWORK_PROVIDERS : [])];
  for (const provider of wanted) await register(deps, subscription, provider);
  say(`${wanted.length} resource providers are registered.`);
  if (env.SALLYPORT_ADMIN_KEY_SHA256)
    return say("The first admin key was made before; its SHA-256 is in azd's environment.");
  const key = `sp_admin_${randomBytes(32).toString("base64url")}`;
  await deps.keep("SALLYPORT_ADMIN_KEY_SHA256", createHash("sha256").update(key).digest("hex"));
  say("");
  say(
    "The first admin key, shown this once and kept nowhere. It may do everything: put it into your password store now.",
  );
  say("");
  say(`  ${key}`);
  say("");
}

async function register(
  { arm, token, say, pauseMs }: BeforeDeps,
  subscription: string,
  provider: string,
): Promise<void> {
  const address = `${arm}/subscriptions/${encodeURIComponent(subscription)}/providers/${provider}`;
  const call = async (method: "GET" | "POST", path = ""): Promise<string> => {
    const headers = { authorization: `Bearer ${await token()}` };
    const answer = await fetch(`${address}${path}?api-version=${API_VERSION}`, { method, headers });
    if (!answer.ok)
      throw new Error(
        `Azure answered ${answer.status} about ${provider}. Whoever deploys needs the right ${provider}/register/action, which Contributor has.`,
      );
    return ((await answer.json()) as { registrationState?: string }).registrationState ?? "";
  };
  let state = await call("GET");
  if (state !== "Registered" && state !== "Registering") {
    say(`Registering ${provider} …`);
    state = await call("POST", "/register");
  }
  for (let tried = 0; state !== "Registered"; tried++) {
    if (tried === TRIES)
      throw new Error(`${provider} is still ${state}. Look at it in the portal, then run azd again.`);
    await pause(pauseMs);
    state = await call("GET");
  }
}

const run = promisify(execFile);

async function azdToken(): Promise<string> {
  const { stdout } = await run("azd", ["auth", "token", "--output", "json"]);
  return (JSON.parse(stdout) as { token: string }).token;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await beforeProvision({
    env: process.env,
    arm: "https://management.azure.com",
    token: azdToken,
    keep: async (name, value) => void (await run("azd", ["env", "set", name, value])),
    say: (line) => console.log(line),
    pauseMs: 5_000,
  });
}
