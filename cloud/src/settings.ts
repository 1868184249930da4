/**
 * The function app's settings: the only place that reads the environment. What is missing or wrong is named in one
 * message, because any throw at start blocks the whole app.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { z } from "zod";
import { DEFAULT_RATES } from "./access/rates.ts";
import { DEFAULT_BACKOFF } from "./events/backoff.ts";
import { areNetworks } from "./events/networks.ts";
import { DEFAULT_PULL_SETTINGS } from "./pulls/settings.ts";
import { DEFAULT_REQUEST_SETTINGS } from "./requests/deps.ts";

/** A Key Vault reference that did not resolve arrives as its own text. */
const REFERENCE = "@Microsoft.KeyVault(";
/** Something of a vault: `https://` and its host, with this path; anything that begins otherwise is a file. */
const fileOrVault = (path: RegExp, what: string) =>
  z
    .string()
    .min(1)
    .refine(
      (text) => !text.startsWith("https:") || path.test(text.replace(/^https:\/\/[^/?#@]+/, "")),
      `is no ${what}`,
    );
const seconds = (most: number) => z.coerce.number().int().min(1).max(most);
/** The same where tenths matter. */
const fraction = (most: number) => z.coerce.number().min(0.1).max(most);

/** What docs/settings.md says of a setting beside its name: `test/rules/settings-page.ts` makes the page. */
interface Told {
  /** In what form it is a secret. */
  readonly secret?: string;
  /** What it is where none is given and that is no one value. */
  readonly otherwise?: string;
}
const told = <T extends z.ZodType>(schema: T, description: string, more: Told = {}): T =>
  schema.meta({ description, ...more });

const environment = z.object({
  SALLYPORT_ORIGIN: told(
    z.url({ protocol: /^https$/ }).optional(),
    "Where agents and people reach this app. Agents pin it at enrolment.",
    { otherwise: "`https://` and `WEBSITE_HOSTNAME`" },
  ),
  WEBSITE_HOSTNAME: told(z.string().min(1), "The app's own host name."),
  SALLYPORT_ADMIN_KEY_SHA256: told(
    z
      .string()
      .regex(
        /^[0-9a-f]{64}$/,
        "is no SHA-256 as 64 lower-case hex digits; in Azure `azd provision` makes the key and sets it",
      ),
    "SHA-256 of the first admin key, as 64 lower-case hex digits; never the key.",
  ),
  SALLYPORT_TABLES: told(
    z.string().min(1),
    "Where state is: the account's endpoint of tables for a managed identity, or a connection string.",
    { secret: "as a connection string" },
  ),
  SALLYPORT_BLOBS: told(z.string().min(1), "Where results are, in the same way.", { secret: "as a connection string" }),
  SALLYPORT_CONTAINER: told(
    z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{2,62}$/)
      .default("sallyport"),
    "The results' container.",
  ),
  SALLYPORT_SERVICEBUS: told(
    z.string().optional(),
    "A connection string of Service Bus, for who has no identity there. This or the next one.",
    { secret: "yes" },
  ),
  SALLYPORT_SERVICEBUS__fullyQualifiedNamespace: told(
    z.string().optional(),
    "The Service Bus namespace's host name, for a managed identity. The queue's trigger reads it too.",
  ),
  SALLYPORT_RELAY: told(
    z.string().min(1),
    "How the orchestrator dials agents: the relay namespace's host name, or a connection string with a Send rule.",
    { secret: "as a connection string" },
  ),
  SALLYPORT_RELAY_LISTEN: told(
    z.string().min(1),
    "A connection string of the namespace's Listen-only rule, or `https://VAULT/secrets/NAME` with it: listen tokens are minted from it.",
    { secret: "as a connection string" },
  ),
  SALLYPORT_RELAY_RESOURCE: told(
    z.url({ protocol: /^https$/ }),
    "The relay namespace in Azure Resource Manager: `https://management.azure.com/subscriptions/…/namespaces/NAME`.",
  ),
  SALLYPORT_SIGNING_KEY: told(
    fileOrVault(/^\/keys\/[0-9a-zA-Z-]{1,127}$/, "key's address https://VAULT/keys/NAME"),
    "The orchestrator's signing key: `https://VAULT/keys/NAME`, without a version, or a file with a private ES256 JWK.",
  ),
  SALLYPORT_SECRETS: told(
    fileOrVault(/^\/?$/, "vault's address https://VAULT"),
    "Credentials: `https://VAULT`, or an encrypted file.",
  ),
  SALLYPORT_SECRETS_KEY: told(
    z.string().min(1).optional(),
    "The file with that file's key; with a vault there is none.",
  ),
  SALLYPORT_LEASE_SECONDS: told(
    seconds(600).default(DEFAULT_PULL_SETTINGS.leaseSeconds),
    "How long a claim of a run, or of a request by hand, lives without being renewed.",
  ),
  SALLYPORT_WAKE_LEAD_SECONDS: told(
    seconds(3600).default(DEFAULT_PULL_SETTINGS.wakeLeadSeconds),
    "A wake entry stands at least this long before the change that it serves ([runs.md](runs.md)).",
  ),
  SALLYPORT_CLAIM_SECONDS: told(
    seconds(780).default(DEFAULT_PULL_SETTINGS.claimSeconds),
    "A claim hands its run over at the first checkpoint after this.",
  ),
  SALLYPORT_CANARY_SECONDS: told(
    z.coerce.number().int().min(30).max(3600).default(300),
    "How long an agent may go unproven before it is pinged; agents take no shorter time from anybody. Shorter costs money ([cost.md](cost.md)).",
  ),
  SALLYPORT_CLAIMS: told(
    z.coerce.number().int().min(1).max(20).default(DEFAULT_PULL_SETTINGS.claims),
    "Claims without a committed slice after which a run fails.",
  ),
  SALLYPORT_BACKOFF_SECONDS: told(
    fraction(900).default(DEFAULT_PULL_SETTINGS.backoffSeconds),
    "The pause after the first such claim, which doubles.",
  ),
  SALLYPORT_WAIT_SECONDS: told(fraction(900).optional(), "The pause for an agent that is offline or busy.", {
    otherwise: `\`${DEFAULT_PULL_SETTINGS.waitSeconds}\`, for requests by hand \`${DEFAULT_REQUEST_SETTINGS.waitSeconds}\``,
  }),
  SALLYPORT_WEBHOOK_NETWORKS: told(
    z.string().refine(areNetworks, "is no list of networks").optional(),
    "Networks that webhooks may reach beside the public Internet, in CIDR, separated by commas.",
  ),
  SALLYPORT_WEBHOOK_BACKOFF_SECONDS: told(
    fraction(900).default(DEFAULT_BACKOFF.firstSeconds),
    "The pause after a webhook's first failure, which doubles.",
  ),
  SALLYPORT_SLICE_SECONDS: told(
    fraction(600).default(DEFAULT_PULL_SETTINGS.sliceSeconds),
    "A slice is committed at the first checkpoint after this.",
  ),
  SALLYPORT_ENTRA_ISSUER: told(
    z.url({ protocol: /^https$/ }).optional(),
    "Whose tokens are taken beside API keys: `https://login.microsoftonline.com/DIRECTORY/v2.0` ([api.md](api.md)).",
  ),
  SALLYPORT_ENTRA_AUDIENCE: told(z.string().min(1).max(256).optional(), "What such a token is for."),
  SALLYPORT_RETIRE_DAYS: told(
    z.coerce.number().int().min(1).max(3650).default(180),
    "Days of silence after which an agent is retired: revoked, as if somebody had done it.",
  ),
  SALLYPORT_RATE: told(
    z.coerce.number().min(0.1).max(10_000).default(DEFAULT_RATES.perSecond),
    "Calls a second that a caller may go on making in an instance.",
  ),
  SALLYPORT_BURST: told(
    z.coerce.number().int().min(1).max(100_000).default(DEFAULT_RATES.burst),
    "How many of them may come at once after a pause.",
  ),
  SALLYPORT_TELEMETRY: told(
    z.enum(["none", "console", "otlp"]).default("none"),
    "Where traces and metrics go: nowhere (`none`), to standard error (`console`), or to a collector (`otlp`; [telemetry.md](telemetry.md)).",
  ),
  SALLYPORT_TELEMETRY_ENDPOINT: told(
    z.url({ protocol: /^https?$/ }).default("http://localhost:4318"),
    "The collector's base address.",
  ),
  SALLYPORT_TELEMETRY_HEADERS: told(
    z
      .string()
      .regex(/^([A-Za-z0-9-]{1,64}=[^,=\s][^,\r\n]{0,4095}(,|$))*$/)
      .default(""),
    "Headers by which the collector knows us, as `name=value,name=value`.",
    { secret: "yes" },
  ),
  SALLYPORT_TELEMETRY_RATIO: told(
    z.coerce.number().min(0).max(1).default(1),
    "The share of runs whose traces are kept.",
  ),
});

/** Every setting that is read, for the page of them. */
export const SETTINGS: Readonly<Record<string, z.ZodType>> = environment.shape;

export type Settings = z.infer<typeof environment>;

/** The origin that agents pin at enrolment. */
export const originOf = (settings: Settings): string =>
  settings.SALLYPORT_ORIGIN ?? `https://${settings.WEBSITE_HOSTNAME}`;

/** What goes together, checked also beside other faults, so that one message names all. */
const together = environment
  .refine(
    (s) => s.SALLYPORT_SERVICEBUS !== undefined || s.SALLYPORT_SERVICEBUS__fullyQualifiedNamespace !== undefined,
    {
      message: "give a connection string, or SALLYPORT_SERVICEBUS__fullyQualifiedNamespace",
      path: ["SALLYPORT_SERVICEBUS"],
      when: () => true,
    },
  )
  .refine((s) => s.SALLYPORT_SECRETS_KEY !== undefined || /^https:/.test(s.SALLYPORT_SECRETS ?? ""), {
    message: "give the file with the key, or a vault in SALLYPORT_SECRETS",
    path: ["SALLYPORT_SECRETS_KEY"],
    when: () => true,
  });

/** @throws settings.invalid naming every setting that is missing, wrong or an unresolved reference, never a value. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const unresolved = Object.keys(environment.shape).filter((name) => env[name]?.startsWith(REFERENCE));
  const parsed = together.safeParse(env);
  if (parsed.success && unresolved.length === 0) return parsed.data;
  const wrong = [
    ...unresolved.map((name) => `${name}: the Key Vault reference did not resolve`),
    ...(parsed.error?.issues ?? [])
      .filter(({ path }) => !unresolved.includes(String(path[0])))
      .map(({ path, message }) => `${path.join(".")}: ${message}`),
  ];
  throw new SallyportError("settings.invalid", `The function app cannot start. ${wrong.join("; ")}.`, {
    settings: wrong,
  });
}
