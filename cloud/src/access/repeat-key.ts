/**
 * What the bodies of calls with an `Idempotency-Key` are hashed under. They may hold passwords, so a hash that anybody could
 * try offline must not stand in a table: the key is a secret of the secret store, made at its first use. Of instances that
 * make it together the table's row says whose counts: that row is inserted once, and names the secret's version.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SecretStore } from "../secrets/secrets.ts";
import type { Store } from "../store/open.ts";

export interface RepeatKeyDeps {
  readonly store: Pick<Store, "repeatKeys">;
  readonly secrets: Pick<SecretStore, "get" | "put">;
  random(bytes: number): Buffer;
}

/** The secret's name. */
const SECRET = "repeats-key";
/** No caller is named so. */
const [PARTITION, ROW] = ["key", "current"] as const;
const KEY_BYTES = 32;
/** Whoever is overtaken finds the other's key at the next look. */
const TRIES = 3;

/** Asks for it once, and holds it as long as the process lives. @throws secrets.unavailable, and then asks again */
export function repeatKey(deps: RepeatKeyDeps): () => Promise<Uint8Array> {
  let found: Promise<Uint8Array> | undefined;
  return () => {
    found ??= findOrMake(deps).catch((thrown: unknown) => {
      found = undefined;
      throw thrown;
    });
    return found;
  };
}

async function findOrMake({ store: { repeatKeys }, secrets, random }: RepeatKeyDeps): Promise<Uint8Array> {
  for (let tries = 1; tries <= TRIES; tries++) {
    const row = await repeatKeys.get(PARTITION, ROW);
    const secret = row && (await secrets.get(SECRET, row.value.version));
    if (secret !== undefined) return Buffer.from(secret.value, "base64url");
    // There is none yet, or somebody has deleted it: then repeats of calls before are refused as another call's.
    const version = await secrets.put(SECRET, random(KEY_BYTES).toString("base64url"));
    if (row === undefined) await repeatKeys.insert(PARTITION, ROW, { version });
    else await repeatKeys.update(row, { version });
  }
  throw new SallyportError("secrets.unavailable", "The secret store does not give back the key that it has taken.");
}
