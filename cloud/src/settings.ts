/**
 * The function app's settings: the only place that reads the environment. What is missing or wrong is named in one
 * message, because any throw at start blocks the whole app.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { z } from "zod";
import { areNetworks } from "./events/networks.ts";

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
const seconds = (most: number) => z.coerce.number().int().min(1).max(most).optional();
/** The same where tenths matter. */
const fraction = (most: number) => z.coerce.number().min(0.1).max(most).optional();

const environment = z.object({
  /** Where agents and people reach this app, where that is not https:// and the host name that the platform sets. */
  SALLYPORT_ORIGIN: z.url({ protocol: /^https$/ }).optional(),
  WEBSITE_HOSTNAME: z.string().min(1),
  /** SHA-256 of the first admin key, as hex; never the key. */
  SALLYPORT_ADMIN_KEY_SHA256: z
    .string()
    .regex(
      /^[0-9a-f]{64}$/,
      "is no SHA-256 as 64 lower-case hex digits; in Azure `azd provision` makes the key and sets it",
    ),
  /** Storage of state and results: a connection string, or the account's endpoint for a managed identity. */
  SALLYPORT_TABLES: z.string().min(1),
  SALLYPORT_BLOBS: z.string().min(1),
  SALLYPORT_CONTAINER: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{2,62}$/)
    .default("sallyport"),
  /** A connection string; or, for a managed identity, the next one in its place. */
  SALLYPORT_SERVICEBUS: z.string().optional(),
  SALLYPORT_SERVICEBUS__fullyQualifiedNamespace: z.string().optional(),
  /** How the orchestrator dials agents: a connection string with a Send rule, or the namespace's host name. */
  SALLYPORT_RELAY: z.string().min(1),
  /** A connection string of the namespace's Listen-only rule, or https://VAULT/secrets/NAME with it: listen tokens are minted from it. */
  SALLYPORT_RELAY_LISTEN: z.string().min(1),
  /** The relay namespace in Azure Resource Manager: https://management.azure.com/subscriptions/…/namespaces/NAME */
  SALLYPORT_RELAY_RESOURCE: z.url({ protocol: /^https$/ }),
  /** The orchestrator's signing key: https://VAULT/keys/NAME, without a version, or a file with a private ES256 JWK. */
  SALLYPORT_SIGNING_KEY: fileOrVault(/^\/keys\/[0-9a-zA-Z-]{1,127}$/, "key's address https://VAULT/keys/NAME"),
  /** Credentials: https://VAULT, or an encrypted file, and then the file with its key. */
  SALLYPORT_SECRETS: fileOrVault(/^\/?$/, "vault's address https://VAULT"),
  SALLYPORT_SECRETS_KEY: z.string().min(1).optional(),
  SALLYPORT_LEASE_SECONDS: seconds(600),
  SALLYPORT_WAKE_LEAD_SECONDS: seconds(3600),
  SALLYPORT_CLAIM_SECONDS: seconds(780),
  /** How long an agent may go unproven before it is pinged; agents take no shorter time from anybody. */
  SALLYPORT_CANARY_SECONDS: z.coerce.number().int().min(30).max(3600).optional(),
  /** Claims without a committed slice after which a run fails, and the pause after the first, which doubles. */
  SALLYPORT_CLAIMS: z.coerce.number().int().min(1).max(20).optional(),
  SALLYPORT_BACKOFF_SECONDS: fraction(900),
  /** The pause for an agent that is offline or busy. */
  SALLYPORT_WAIT_SECONDS: fraction(900),
  /** Networks that webhooks may reach beside the public Internet, in CIDR, separated by commas; none otherwise. */
  SALLYPORT_WEBHOOK_NETWORKS: z.string().refine(areNetworks, "is no list of networks").optional(),
  /** The pause after a webhook's first failure, which doubles. */
  SALLYPORT_WEBHOOK_BACKOFF_SECONDS: fraction(900),
  /** A slice is committed at the first checkpoint after this. */
  SALLYPORT_SLICE_SECONDS: fraction(600),
  /** Whose tokens are taken beside API keys: https://login.microsoftonline.com/DIRECTORY/v2.0, and what they are for. */
  SALLYPORT_ENTRA_ISSUER: z.url({ protocol: /^https$/ }).optional(),
  SALLYPORT_ENTRA_AUDIENCE: z.string().min(1).max(256).optional(),
  /** Days of silence after which an agent is retired: revoked, as if somebody had done it. */
  SALLYPORT_RETIRE_DAYS: z.coerce.number().int().min(1).max(3650).default(180),
  /** Calls a second that a caller may go on making in an instance, and how many may come at once. */
  SALLYPORT_RATE: z.coerce.number().min(0.1).max(10_000).optional(),
  SALLYPORT_BURST: z.coerce.number().int().min(1).max(100_000).optional(),
  /** Where traces and metrics go: nowhere, to standard error, or to a collector by OTLP over HTTP (docs/telemetry.md). */
  SALLYPORT_TELEMETRY: z.enum(["none", "console", "otlp"]).default("none"),
  /** The collector's base address, and headers by which it knows us, as `name=value,name=value`. */
  SALLYPORT_TELEMETRY_ENDPOINT: z.url({ protocol: /^https?$/ }).default("http://localhost:4318"),
  SALLYPORT_TELEMETRY_HEADERS: z
    .string()
    .regex(/^([A-Za-z0-9-]{1,64}=[^,=\s][^,\r\n]{0,4095}(,|$))*$/)
    .default(""),
  /** The share of runs whose traces are kept. */
  SALLYPORT_TELEMETRY_RATIO: z.coerce.number().min(0).max(1).default(1),
});

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
