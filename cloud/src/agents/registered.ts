/** What is known of the agent whose signature a request carries. */
import type { JWK } from "@sallyport/shared/crypto/jws.ts";
import type { SentCanary } from "@sallyport/shared/schema/liveness.ts";

export interface RegisteredAgent {
  readonly id: string;
  readonly tenant: string;
  readonly site: string;
  readonly status: "active" | "pending" | "revoked";
  /** The key that signed the request: the current one, or, for a day after a rotation, the one before. */
  readonly identity: JWK;
  readonly kid: string;
  /** Thumbprint of the current one. */
  readonly current: string;
  /** The key that customers seal credentials to, and whether this identity has signed for it. */
  readonly unseal: { readonly kid: string; readonly signed: boolean };
  /** The newest canary sent to it. */
  readonly canary: SentCanary | null;
}
