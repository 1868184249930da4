/** The name that a sign-in is meant for: an answer to it is of no use to another server. */
import { isIP } from "node:net";
import type { RootDse } from "../root-dse.ts";
import type { DirectoryTarget } from "../target.ts";

/**
 * In TLS the certificate has shown who answers, so its own word for its name is taken: the policy may name a domain, an
 * alias or an address, by which no controller is registered. Without TLS anybody could give that word, so the policy's
 * name stands, where it has one.
 */
export const servicePrincipal = (target: Pick<DirectoryTarget, "host">, root: RootDse, isPrivate: boolean): string =>
  `ldap/${(isPrivate || isIP(target.host) !== 0) && root.host !== "" ? root.host : target.host}`;
