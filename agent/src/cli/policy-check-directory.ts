/** `sallyport policy check --online` for a directory: one sign-in, and whether what the rules name is there. */
import { splitAddress } from "@sallyport/shared/schema/policy.ts";
import { type DirectoryConnection, isDirectoryReadRule } from "@sallyport/shared/schema/policy-directory.ts";
import type { Finding } from "../connectors/ldap/preflight.ts";
import { loadScript } from "../executor/load.ts";

export interface DirectoryLook {
  readonly connection: string;
  readonly found: readonly Finding[];
}

/** @param caPem what the policy's `tls.ca` holds */
export async function lookAtDirectory(
  name: string,
  connection: DirectoryConnection,
  login: { readonly user: string; readonly password: string },
  caPem: string | undefined,
  signal: AbortSignal,
): Promise<DirectoryLook> {
  const { preflight } = await (await loadScript()).loadPreflight();
  const { address, refuseOverPrivileged, tls, rules, signIn } = connection;
  const target = {
    ...{ connection: name, ...splitAddress(address), refuseOverPrivileged, requestId: "policy-check" },
    tls: { mode: tls.mode, ...(caPem === undefined ? {} : { caPem }) },
    credential: { ...login, signIn: signIn[0] ?? "simple" },
  };
  return { connection: name, found: await preflight(target, rules.filter(isDirectoryReadRule), signal) };
}
