/** Joins the checks of the orchestrator's health to the clients of this process. */
import type { ServiceBusSender } from "@azure/service-bus";
import type { ContainerClient } from "@azure/storage-blob";
import { thumbprint } from "@sallyport/shared/crypto/identity.ts";
import { publicKeyOf } from "@sallyport/shared/crypto/jws.ts";
import type { SigningKey } from "../agents/signing-key.ts";
import type { Looked } from "./checks.ts";
import { createHealth, type Health, type HealthOptions } from "./health.ts";

export interface HealthParts extends Pick<Looked, "store" | "canarySeconds" | "relayHost"> {
  readonly blobs: ContainerClient;
  readonly queue: ServiceBusSender;
  readonly authorization: (path: string) => Promise<string>;
  readonly signing: Pick<SigningKey, "signer" | "keys">;
  readonly log: HealthOptions["log"];
}

export async function composeHealth({
  blobs,
  queue,
  authorization,
  signing,
  log,
  ...parts
}: HealthParts): Promise<Health> {
  const keys = signing.keys.map(async (jwk) => [await thumbprint(jwk), publicKeyOf(jwk)] as const);
  const trusted = new Map(await Promise.all(keys));
  const looked: Looked = {
    ...parts,
    readContainer: () => blobs.getProperties(),
    // Opens the link, and asks the queue how large a message may be.
    openQueue: () => queue.createMessageBatch(),
    relayToken: () => authorization("health"),
    signer: signing.signer,
    trusted: (kid) => trusted.get(kid),
    nowMs: Date.now,
  };
  return createHealth(looked, { monotonicMs: () => performance.now(), log });
}
