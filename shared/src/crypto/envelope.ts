/**
 * HPKE (RFC 9180) in base mode with MLKEM768-X25519 ("X-Wing", KEM id 0x647a, draft-ietf-hpke-pq), HKDF-SHA256 and
 * AES-256-GCM. The only file that touches the `hpke` library.
 */
import { AEAD_AES_256_GCM, CipherSuite, KDF_HKDF_SHA256, KEM_MLKEM768_X25519, type Key } from "hpke";
import { utf8 } from "./bytes.ts";

const suite = new CipherSuite(KEM_MLKEM768_X25519, KDF_HKDF_SHA256, AEAD_AES_256_GCM);

const CREDENTIAL_KEY = utf8("sallyport/1 credential key");
const TO_ORCHESTRATOR = utf8("sallyport/1 agent to orchestrator");
const TO_AGENT = utf8("sallyport/1 orchestrator to agent");

/** AES-256 keys of the two streams of a session. */
export interface StreamKeys {
  readonly toOrchestrator: Uint8Array;
  readonly toAgent: Uint8Array;
}

/** A session's key pair. Whoever opens the one request with it drops it. */
export interface SessionKey {
  readonly publicKey: Uint8Array;
  readonly keyPair: { readonly publicKey: Key; readonly privateKey: Key };
}

export async function generateSessionKey(): Promise<SessionKey> {
  const keyPair = await suite.GenerateKeyPair(false);
  return { publicKey: await suite.SerializePublicKey(keyPair.publicKey), keyPair };
}

/** An unseal key, whose 32-byte seed is kept by the agent. */
export async function generateSeededKey(): Promise<{ publicKey: Uint8Array; seed: Uint8Array }> {
  const keyPair = await suite.GenerateKeyPair(true);
  return {
    publicKey: await suite.SerializePublicKey(keyPair.publicKey),
    seed: await suite.SerializePrivateKey(keyPair.privateKey),
  };
}

/** A key pair from its 32-byte seed and its public key, as vectors give them. */
export async function sessionKeyFrom(seed: Uint8Array, publicKey: Uint8Array): Promise<SessionKey> {
  return {
    publicKey,
    keyPair: {
      publicKey: await suite.DeserializePublicKey(publicKey),
      privateKey: await suite.DeserializePrivateKey(seed, false),
    },
  };
}

export async function seal(
  publicKey: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Promise<{ enc: Uint8Array; ciphertext: Uint8Array; keys: StreamKeys }> {
  const { encapsulatedSecret, ctx } = await suite.SetupSender(await suite.DeserializePublicKey(publicKey), { info });
  const ciphertext = await ctx.Seal(plaintext, aad);
  const keys = {
    toOrchestrator: await ctx.Export(TO_ORCHESTRATOR, 32),
    toAgent: await ctx.Export(TO_AGENT, 32),
  };
  return { enc: encapsulatedSecret, ciphertext, keys };
}

/**
 * Opens once. `keys` are exported only when the caller asks, after it has verified what the plaintext says: the library
 * would export keys even from garbage.
 */
export async function open(
  sessionKey: SessionKey,
  enc: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
): Promise<{ plaintext: Uint8Array; exportKeys: () => Promise<StreamKeys> } | undefined> {
  try {
    const ctx = await suite.SetupRecipient(sessionKey.keyPair, enc, { info });
    const plaintext = await ctx.Open(ciphertext, aad);
    const exportKeys = async () => ({
      toOrchestrator: await ctx.Export(TO_ORCHESTRATOR, 32),
      toAgent: await ctx.Export(TO_AGENT, 32),
    });
    return { plaintext, exportKeys };
  } catch {
    return undefined;
  }
}

/** A fresh 32-byte key that only the holder of the unseal key's seed can have again, from `enc` and the same `info`. */
export async function sendExport(
  publicKey: Uint8Array,
  info: Uint8Array,
): Promise<{ enc: Uint8Array; key: Uint8Array }> {
  const recipient = await suite.DeserializePublicKey(publicKey);
  const { encapsulatedSecret, exportedSecret } = await suite.SendExport(recipient, CREDENTIAL_KEY, 32, { info });
  return { enc: encapsulatedSecret, key: exportedSecret };
}

/** The same key, from the other end. Another seed, `enc` or `info` gives another key, and no error. */
export async function receiveExport(
  unseal: { readonly seed: Uint8Array; readonly publicKey: Uint8Array },
  enc: Uint8Array,
  info: Uint8Array,
): Promise<Uint8Array> {
  const { keyPair } = await sessionKeyFrom(unseal.seed, unseal.publicKey);
  return suite.ReceiveExport(keyPair, enc, CREDENTIAL_KEY, 32, { info });
}
