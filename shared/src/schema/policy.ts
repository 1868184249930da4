/**
 * The owner's policy file. Strict: a key that is not here is an error, so nothing that an owner writes is ever ignored.
 * Rules stand in `policy-rules.ts` and `policy-directory.ts`.
 */
import { z } from "zod";
import { authorities, everyConnection, sessionLimits, sqlServerAddress, visible } from "./policy-connection.ts";
import { type DirectoryConnection, directoryConnection } from "./policy-directory.ts";
import { mssqlRule } from "./policy-rules.ts";
import { nameOfConnection } from "./policy-words.ts";

export { splitAddress } from "./policy-connection.ts";
export type { DirectoryConnection, DirectoryRule } from "./policy-directory.ts";
export type {
  AllowRule,
  CallParameter,
  CallRule,
  MssqlRule,
  TableRule,
  WriteRule,
} from "./policy-rules.ts";
export { isCallRule, isReadRule, isWriteRule } from "./policy-rules.ts";

const globalLimits = z.strictObject({
  ...sessionLimits,
  sessionsPerMinute: z.int().min(1).max(6000).optional(),
});

const mssqlConnection = z.strictObject({
  kind: z.literal("mssql"),
  ...everyConnection,
  address: sqlServerAddress,
  database: visible(128),
  tls: z.strictObject({
    /** `required`: TLS 1.2 inside TDS. `strict`: TDS 8. `trustAnyCertificate`: encrypted, to whoever answers. */
    mode: z.enum(["required", "strict", "trustAnyCertificate"]),
    ca: authorities,
  }),
  signIn: z
    .array(z.enum(["sql", "windowsNtlm"]))
    .min(1)
    .max(2)
    .default(["sql"]),
  rules: z.array(mssqlRule).max(1000),
});

const connection = z.discriminatedUnion("kind", [mssqlConnection, directoryConnection], {
  error: "use mssql or activeDirectory",
});

export const policy = z.strictObject({
  v: z.literal(1),
  updates: z.enum(["manual", "notify", "window"]).default("notify"),
  limits: globalLimits.optional(),
  connections: z.record(nameOfConnection, connection),
});
export type Policy = z.infer<typeof policy>;
export type MssqlConnection = z.infer<typeof mssqlConnection>;
export type Connection = MssqlConnection | DirectoryConnection;

/** What counts where the policy says nothing (docs/policy.md, "Other keys, and defaults"); a session's are in `operations.ts`. */
export const POLICY_DEFAULTS = {
  sessions: 2,
  sessionsPerMinute: 30,
  bytesPerDay: 100 * 2 ** 30,
  /** Five wrong ones lock an account in many directories. */
  failedLogins: { mssql: { count: 3, seconds: 3600 }, activeDirectory: { count: 2, seconds: 3600 } },
} as const;
