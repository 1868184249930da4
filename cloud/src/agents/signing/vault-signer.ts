/**
 * Signing by a key that never leaves Key Vault (https://learn.microsoft.com/rest/api/keyvault/keys/sign): the vault gets a digest
 * and answers the 64 bytes that a JWS with ES256 wants (RFC 7518 section 3.4). One call to the vault for each signature.
 */
import { createHash } from "node:crypto";
import type { TokenCredential } from "@azure/identity";
import { CryptographyClient, type JsonWebKey, KeyClient } from "@azure/keyvault-keys";
import { p256Jwk, thumbprint } from "@sallyport/shared/crypto/identity.ts";
import type { JWK, Signer } from "@sallyport/shared/crypto/jws.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { refusalOf, VAULT_CLIENT, vaultCredential } from "../../secrets/vault-access.ts";

/** One version of a key. */
export interface VaultKey {
  readonly version: string;
  readonly publicJwk: JWK;
  readonly signer: Signer;
}

export interface VaultKeys {
  /** @throws settings.invalid where it is no EC key on P-256 that may sign, secrets.unavailable */
  key(version: string): Promise<VaultKey>;
  /** The oldest version that is enabled. @throws secrets.unavailable, settings.invalid where there is none */
  firstVersion(): Promise<string>;
  /** Makes a new version, as the first one was made. Needs the right to create keys, which the app has not. */
  create(): Promise<VaultKey>;
}

/** `https://NAME.vault.azure.net/keys/NAME`, in its two parts. Undefined for anything else. */
export function parseKeyUrl(text: string): { readonly vault: string; readonly name: string } | undefined {
  const url = URL.parse(text);
  const name = /^\/keys\/([0-9a-zA-Z-]{1,127})$/.exec(url?.pathname ?? "")?.[1];
  const plain = url?.protocol === "https:" && url.search === "" && url.username === "" && url.hash === "";
  return plain && name !== undefined ? { vault: url.origin, name } : undefined;
}

export function vaultKeys(vault: string, name: string, credential: TokenCredential): VaultKeys {
  const pinned = vaultCredential(credential);
  const client = new KeyClient(vault, pinned, VAULT_CLIENT);
  const keyOf = async (version: string, jwk: JsonWebKey | undefined): Promise<VaultKey> => {
    const coordinate = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("base64url");
    // The kind of a key in a module of its own is EC-HSM; it signs the same.
    const parsed = p256Jwk.safeParse({
      ...{ kty: jwk?.kty?.replace("-HSM", ""), crv: jwk?.crv },
      ...{ x: coordinate(jwk?.x), y: coordinate(jwk?.y) },
    });
    if (!parsed.success || jwk?.keyOps?.includes("sign") === false)
      throw new SallyportError("settings.invalid", "SALLYPORT_SIGNING_KEY is no P-256 key that may sign.", {
        settings: ["SALLYPORT_SIGNING_KEY"],
      });
    const crypto = new CryptographyClient(`${vault}/keys/${name}/${version}`, pinned, VAULT_CLIENT);
    const kid = await thumbprint(parsed.data);
    return { version, publicJwk: parsed.data, signer: { alg: "ES256", kid, sign: signing(crypto) } };
  };
  return {
    key: async (version) => {
      const { key } = await called("read", () => client.getKey(name, { version }));
      return await keyOf(version, key);
    },
    firstVersion: () =>
      called("listed", async () => {
        const found: { readonly version: string; readonly createdMs: number }[] = [];
        for await (const { version, createdOn, enabled } of client.listPropertiesOfKeyVersions(name))
          if (version !== undefined && enabled !== false) found.push({ version, createdMs: createdOn?.getTime() ?? 0 });
        const [first] = found.sort((a, b) => a.createdMs - b.createdMs);
        if (first !== undefined) return first.version;
        throw new SallyportError("settings.invalid", "SALLYPORT_SIGNING_KEY names a key that is not there.", {
          settings: ["SALLYPORT_SIGNING_KEY"],
        });
      }),
    create: async () => {
      const { key, properties } = await called("made", () =>
        client.createEcKey(name, { curve: "P-256", keyOps: ["sign", "verify"] }),
      );
      return await keyOf(properties.version ?? "", key);
    },
  };
}

const signing = (client: CryptographyClient) => (input: Uint8Array) =>
  called("used", async () => {
    const { result } = await client.sign("ES256", createHash("sha256").update(input).digest());
    if (result.byteLength !== 64) throw new RangeError("an ES256 signature has 64 bytes");
    return result;
  });

async function called<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (thrown) {
    if (thrown instanceof SallyportError) throw thrown;
    const message = `The signing key could not be ${what} in Key Vault.`;
    throw new SallyportError("secrets.unavailable", message, { ...refusalOf(thrown) }, thrown);
  }
}
