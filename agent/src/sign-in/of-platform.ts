/** Which library signs in on which platform; none is loaded where it is not needed. */
import type { Kerberos, KerberosLogin } from "./mechanism.ts";

/** @throws Error where this machine lacks the library */
export async function kerberosOf(platform: NodeJS.Platform, login: KerberosLogin): Promise<Kerberos> {
  if (platform === "win32") return (await import("./sspi.ts")).createSspi(login);
  return (await import("./gssapi.ts")).createGssapi(login);
}
