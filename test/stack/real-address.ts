/**
 * `SALLYPORT_MSSQL=mssql://user:password@host:port/database?encrypt=true&trustServerCertificate=false`: which SQL Server
 * to use instead of the emulator. It holds a password, so it is taken out of the environment before anything is started,
 * and what is wrong with it is said without its text.
 */
import { z } from "zod";

export const REAL_SERVER = "SALLYPORT_MSSQL";

export interface RealAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** `strict` is TDS 8. Without encryption there is nothing: the agent knows none. */
  readonly encrypt: "true" | "strict";
  readonly trustServerCertificate: boolean;
}

const text = (what: string) => z.string().min(1, `it names no ${what}`).max(128, `its ${what} is too long`);

const address = z.strictObject({
  protocol: z.literal("mssql:", "it begins with mssql://"),
  host: z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/, "its host is a name or an IPv4 address"),
  port: z.coerce.number().int().min(1, "its port is from 1 to 65535"),
  database: text("database").regex(/^[^/]+$/, "its path is one database"),
  user: text("user"),
  password: text("password"),
  encrypt: z.enum(["true", "strict"], "encrypt is true or strict: the agent connects with TLS only").default("true"),
  trustServerCertificate: z.enum(["true", "false"], "trustServerCertificate is true or false").default("false"),
});

/** Takes the variable out of the environment. @returns undefined where it is not set. @throws Error without any of its text */
export function takeRealAddress(
  environment: NodeJS.ProcessEnv,
  variable: string = REAL_SERVER,
): RealAddress | undefined {
  const given = environment[variable];
  delete environment[variable];
  return given === undefined || given === "" ? undefined : parseRealAddress(given, variable);
}

export function parseRealAddress(given: string, variable: string = REAL_SERVER): RealAddress {
  const unusable = (reasons: readonly string[]) =>
    new Error(
      `${variable} cannot be used: ${reasons.join("; ")}.\nIt reads mssql://user:password@host:port/database?encrypt=true&trustServerCertificate=false`,
    );
  const decoded = (part: string): string => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw unusable(["a % in it is followed by two hexadecimal digits"]);
    }
  };
  const url = URL.parse(given);
  if (url === null || url.hash !== "") throw unusable(["it is no URL; characters that URLs use are written as %XX"]);
  const query = [...url.searchParams];
  if (query.some(([key]) => key !== "encrypt" && key !== "trustServerCertificate")) {
    throw unusable(["its query has only encrypt and trustServerCertificate"]);
  }
  const parsed = address.safeParse({
    protocol: url.protocol,
    host: url.hostname,
    port: url.port === "" ? 1433 : url.port,
    database: decoded(url.pathname.slice(1)),
    user: decoded(url.username),
    password: decoded(url.password),
    ...Object.fromEntries(query),
  });
  if (!parsed.success) throw unusable(parsed.error.issues.map(({ message }) => message));
  const { protocol: _, trustServerCertificate, ...rest } = parsed.data;
  return { ...rest, trustServerCertificate: trustServerCertificate === "true" };
}
