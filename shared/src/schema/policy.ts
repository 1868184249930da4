/**
 * The owner's policy file, for connections of kind `mssql`. Strict: a key that is not here is an error,
 * so nothing that an owner writes is ever ignored. Rules between fields stand in `policy-rules.ts`.
 */
import { z } from "zod";
import { mssqlRule } from "./policy-rules.ts";
import { byteSize, nameOfConnection } from "./policy-words.ts";

export type {
  AllowRule,
  CallParameter,
  CallRule,
  MssqlRule,
  TableRule,
  WriteRule,
} from "./policy-rules.ts";
export { isCallRule, isReadRule, isWriteRule } from "./policy-rules.ts";

const count = z.int().min(1).max(1e12);

/** What a session may take; `cellBytes` and `rowBytes` count bytes as encoded in Arrow. */
const sessionLimits = {
  seconds: z.int().min(1).max(86_400).optional(),
  rows: count.optional(),
  bytes: byteSize.optional(),
  cellBytes: byteSize.optional(),
  rowBytes: byteSize.optional(),
};

/** `3/1h`: three failed logins in one hour, then none until the hour is over. */
const failedLogins = z
  .string()
  .regex(/^[1-9][0-9]{0,2}\/[1-9][0-9]{0,3}[smhd]$/, "use count/time, for example 3/1h")
  .transform((text) => {
    const [tries = "", time = ""] = text.split("/");
    const unit = { s: 1, m: 60, h: 3600, d: 86_400 }[time.at(-1) as "s" | "m" | "h" | "d"];
    return { count: Number(tries), seconds: Number(time.slice(0, -1)) * unit };
  });

const connectionLimits = z.strictObject({
  ...sessionLimits,
  sessions: z.int().min(1).max(64).optional(),
  bytesPerDay: byteSize.optional(),
  failedLogins: failedLogins.optional(),
});

const globalLimits = z.strictObject({
  ...sessionLimits,
  sessionsPerMinute: z.int().min(1).max(6000).optional(),
});

const timezone = z
  .string()
  .max(64)
  .refine((name) => {
    try {
      return new Intl.DateTimeFormat("en", { timeZone: name }) !== undefined;
    } catch {
      return false;
    }
  }, "not a time zone of the IANA database, such as Europe/Oslo");

const clockRange = z
  .string()
  .regex(/^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$/, "use hh:mm-hh:mm")
  .refine((range) => range.slice(0, 5) !== range.slice(6), "the range is empty: leave `hours` out for the whole day");

/** When sessions may run, by the machine's own clock. Without `allow` it only says what time zone `until` means. */
const hours = z.strictObject({
  allow: z.array(clockRange).min(1).max(16).optional(),
  timezone: timezone.default("UTC"),
});

/** An exact host or IP address and a port; `[::1]:1433` for IPv6. No wildcards, no suffixes. */
const address = z
  .string()
  .regex(
    /^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?):[0-9]{1,5}$/,
    "use host:port, without wildcards",
  )
  .refine((text) => {
    const port = Number(text.slice(text.lastIndexOf(":") + 1));
    return port >= 1 && port <= 65_535;
  }, "the port is not between 1 and 65535");

/** Splits a policy's address into what a socket wants. */
export function splitAddress(text: string): { readonly host: string; readonly port: number } {
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
}

const visible = (atMost: number) =>
  z
    .string()
    .max(atMost)
    .regex(/^[^\p{Cc}]+$/u, "no control characters");

const mssqlConnection = z.strictObject({
  kind: z.literal("mssql", { error: "this version serves `mssql` only" }),
  address,
  database: visible(128),
  tls: z.strictObject({
    /** `required`: TLS 1.2 inside TDS. `strict`: TDS 8. `trustAnyCertificate`: encrypted, to whoever answers. */
    mode: z.enum(["required", "strict", "trustAnyCertificate"]),
    /** Path of a PEM file with the authorities to trust instead of the machine's. */
    ca: visible(1024).optional(),
  }),
  logins: z.array(visible(128)).min(1).max(64),
  signIn: z
    .array(z.enum(["sql", "windowsNtlm"]))
    .min(1)
    .max(2)
    .default(["sql"]),
  /** `sealed`: only credentials that the customer sealed to this agent; the platform cannot bring one of its own in clear. */
  credential: z.enum(["sealed", "any"]).default("any"),
  /** Refuses logins that could do everything: members of sysadmin or db_owner, and the database's owner. */
  refuseOverPrivileged: z.boolean().default(true),
  limits: connectionLimits.optional(),
  hours: hours.optional(),
  rules: z.array(mssqlRule).max(1000),
});

export const policy = z.strictObject({
  v: z.literal(1),
  updates: z.enum(["manual", "notify", "window"]).default("notify"),
  limits: globalLimits.optional(),
  connections: z.record(nameOfConnection, mssqlConnection),
});
export type Policy = z.infer<typeof policy>;
export type MssqlConnection = z.infer<typeof mssqlConnection>;

/** What counts where the policy says nothing (docs/policy.md, "Other keys, and defaults"); a session's are in `operations.ts`. */
export const POLICY_DEFAULTS = {
  sessions: 2,
  sessionsPerMinute: 30,
  bytesPerDay: 100 * 2 ** 30,
  failedLogins: { count: 3, seconds: 3600 },
} as const;
