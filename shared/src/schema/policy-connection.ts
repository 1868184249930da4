/** What every connection of a policy may say, whatever its kind: where it is, how much it may take, and when. */
import { z } from "zod";
import { byteSize } from "./policy-words.ts";

const count = z.int().min(1).max(1e12);

/** What a session may take; `cellBytes` and `rowBytes` count bytes as encoded in Arrow. */
export const sessionLimits = {
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

/** Hours of the day by the machine's own clock; a connection's without `allow` only say what time zone `until` means. */
export const clockHours = z.strictObject({
  allow: z.array(clockRange).min(1).max(16).optional(),
  timezone: timezone.default("UTC"),
});

const HOST = "[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?";
const HOST_PORT = `(\\[[0-9A-Fa-f:.]{2,45}\\]|${HOST}):[0-9]{1,5}`;
/** Names of instances: learn.microsoft.com/sql/sql-server/install/instance-configuration */
const HOST_INSTANCE = `${HOST}\\\\[A-Za-z_#][A-Za-z0-9_$#@]{0,15}`;

const isPort = (text: string): boolean => {
  const port = splitAddress(text).port;
  return port >= 1 && port <= 65_535;
};

/** An exact host or IP address and a port; `[::1]:1433` for IPv6. No wildcards, no suffixes. */
const address = z
  .string()
  .regex(new RegExp(`^${HOST_PORT}$`), "use host:port, without wildcards")
  .refine(isPort, "the port is not between 1 and 65535");

/** The same, or a host and a named instance: `sql01\ERP`. */
export const sqlServerAddress = z
  .string()
  .regex(new RegExp(`^(${HOST_PORT}|${HOST_INSTANCE})$`), "use host:port or host\\instance, without wildcards")
  .refine(isPort, "the port is not between 1 and 65535");

/** SQL Server Browser's, which knows the ports of named instances. */
const BROWSER_PORT = 1434;

/** Splits a policy's address into what a socket wants. A named instance stays with its host; the port is then the Browser's. */
export function splitAddress(text: string): { readonly host: string; readonly port: number } {
  if (text.includes("\\")) return { host: text, port: BROWSER_PORT };
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
}

export const visible = (atMost: number) =>
  z
    .string()
    .max(atMost)
    .regex(/^[^\p{Cc}]+$/u, "no control characters");

/** Path of a PEM file with the authorities to trust instead of the machine's. */
export const authorities = visible(1024).optional();

export const everyConnection = {
  address,
  logins: z.array(visible(128)).min(1).max(64),
  /** `sealed`: only credentials that the owner sealed to this agent; `any`: those that the orchestrator holds, too. */
  credential: z.enum(["sealed", "any"]).default("any"),
  /** Refuses logins that could do everything there, so that a mistake in this file is not the last wall. */
  refuseOverPrivileged: z.boolean().default(true),
  limits: connectionLimits.optional(),
  hours: clockHours.optional(),
};
