/** A vault for tests, and the identity that signs in to it. */
import { generateKeyPairSync } from "node:crypto";
import { after } from "node:test";
import tls from "node:tls";
import type { TokenCredential } from "@azure/identity";
import { startVault, type Vault, type VaultOptions } from "../../../test/emulators/azure/vault/start.ts";
import { type Identity, makeAccessToken } from "../../../test/emulators/functions-host/identity/token.ts";
import { makeAuthority } from "../../../test/emulators/tls/certificates.ts";

const PRINCIPAL = "33333333-3333-4333-8333-333333333333";

export interface TestVault {
  readonly vault: Vault;
  readonly credential: TokenCredential;
  /** Whom the vault knows, and the authority of its certificate: for processes of their own. */
  readonly identity: Identity;
  readonly caPem: string;
  /** Scopes that tokens were asked for. */
  readonly scopes: readonly string[];
}

/** The data actions that infra/app/vault.bicep gives the app, and those of whoever rotates its key. */
export const APP_RIGHTS: readonly string[] = [
  "secrets/getSecret/action",
  "secrets/setSecret/action",
  "secrets/delete",
  "secrets/recover/action",
  "secrets/readMetadata/action",
  "keys/read",
  "keys/sign/action",
];
export const OFFICER_RIGHTS: readonly string[] = [...APP_RIGHTS, "keys/create/action", "keys/update/action"];

export async function testVault(
  rights: readonly string[] = APP_RIGHTS,
  options: Partial<Pick<VaultOptions, "keys" | "purgeProtection">> = {},
): Promise<TestVault> {
  const authority = await makeAuthority();
  const certificate = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), authority.caPem]);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  const vault = await startVault({
    tls: certificate,
    issuer: { jwk: publicKey.export({ format: "jwk" }) as never, rights: { [PRINCIPAL]: rights } },
    ...options,
  });
  after(() => vault.close());
  const scopes: string[] = [];
  const identity = { principalId: PRINCIPAL, clientId: PRINCIPAL, privateKeyPem };
  const credential: TokenCredential = {
    async getToken(scope) {
      scopes.push(...[scope].flat());
      const resource = [scope].flat()[0]!.replace(/\/\.default$/, "");
      const { token, expiresOnSeconds } = await makeAccessToken(identity, resource, Math.floor(Date.now() / 1000));
      return { token, expiresOnTimestamp: expiresOnSeconds * 1000 };
    },
  };
  return { vault, credential, scopes, identity, caPem: authority.caPem };
}
