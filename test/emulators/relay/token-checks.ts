import { importJWK, type JWTPayload, jwtVerify } from "jose";
import { z } from "zod";
import type { RelayOptions } from "./options.ts";

/**
 * Stands in for Entra ID: takes ES256 tokens of one key and grants what role assignments say, by the principal's object id (`oid`,
 * or `sub` without one). As in Azure, a token carries no rights of its own, and one for another audience is refused.
 */

export const tokenIssuer = z.strictObject({
  /** The public key, EC on P-256. */
  jwk: z.looseObject({ kty: z.literal("EC"), crv: z.literal("P-256"), x: z.string(), y: z.string() }),
  /** The `iss` a token must have; default any. */
  issuer: z.string().optional(),
  /** Object id → rights on the namespace. Azure Relay Sender is ["Send"], Listener ["Listen"], Owner ["Manage"]. */
  relay: z.record(z.string(), z.array(z.enum(["Listen", "Send", "Manage"]))).default({}),
  /** Object ids that may call the management routes. */
  management: z.array(z.string()).default([]),
});

export type TokenIssuer = z.input<typeof tokenIssuer>;

const RELAY_AUDIENCES = ["https://relay.azure.net"];
const MANAGEMENT_AUDIENCES = ["https://management.azure.com", "https://management.core.windows.net"];

/** The two accept functions of the relay's options, for tokens of this issuer. */
export async function makeTokenChecks(
  issuer: TokenIssuer,
): Promise<Required<Pick<RelayOptions, "entraToken" | "managementToken">>> {
  const { jwk, issuer: iss, relay, management } = tokenIssuer.parse(issuer);
  const key = await importJWK(jwk, "ES256");

  async function principalOf(jwt: string, audiences: readonly string[]): Promise<string | undefined> {
    try {
      const { payload } = await jwtVerify(jwt, key, {
        algorithms: ["ES256"],
        requiredClaims: ["exp"],
        ...(iss ? { issuer: iss } : {}),
      });
      if (!audienceOf(payload).some((audience) => audiences.includes(audience))) return undefined;
      return typeof payload.oid === "string" ? payload.oid : payload.sub;
    } catch {
      return undefined; // whatever is wrong with it, the service says no more than 401
    }
  }

  return {
    async entraToken(jwt) {
      const principal = await principalOf(jwt, RELAY_AUDIENCES);
      return principal === undefined ? false : (relay[principal] ?? []);
    },
    async managementToken(jwt) {
      const principal = await principalOf(jwt, MANAGEMENT_AUDIENCES);
      return principal !== undefined && management.includes(principal);
    },
  };
}

/** The scope `https://relay.azure.net//.default` makes an audience that ends in a slash; others ask without. */
function audienceOf({ aud }: JWTPayload): string[] {
  const audiences = Array.isArray(aud) ? aud : [aud ?? ""];
  return audiences.map((audience) => audience.replace(/\/+$/, ""));
}
