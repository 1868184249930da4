/**
 * What the executor's script offers: a session; and the driver for `sallyport policy check --online`, which somebody types who
 * can read the policy anyway, so that the bundle holds the driver once.
 */
export { serveOneSession } from "./serve.ts";

export const loadReaders = () => import("../connectors/mssql/readers.ts");
/** The same for a directory: a look at what its rules name. */
export const loadPreflight = () => import("../connectors/ldap/preflight.ts");
