/** The services around the app as a deployment leaves them: an identity with its rights, a vault, Resource Manager, a domain. */
import { createHash, createPublicKey, randomUUID, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import tls from "node:tls";
import { type Arm, startArm } from "../../emulators/azure/arm/start.ts";
import { startVault, type Vault } from "../../emulators/azure/vault/start.ts";
import { makeIdentity } from "../../stack/app.ts";
import type { Found, Reach, Reached } from "../../stack/start.ts";
import { openDoor } from "./door.ts";

export const SIGNING_KEY = "sallyport-signing";

/** The data actions of infra/app/vault.bicep's two roles, without their provider. */
const VAULT_RIGHTS = [
  ...["getSecret/action", "setSecret/action", "delete", "recover/action", "readMetadata/action"].map(
    (verb) => `secrets/${verb}`,
  ),
  ...["keys/read", "keys/sign/action"],
];
const ARM_RIGHTS = ["read", "write", "delete"].map((verb) => `Microsoft.Relay/namespaces/hybridConnections/${verb}`);

export interface Cloud extends Reach {
  /** Of the vault: taking one away is a role that is not there yet. */
  readonly vaultRights: string[];
  vault(): Vault;
  arm(): Arm;
  /** What the app was given: its settings, and the certificate of its name. */
  env(): Readonly<Record<string, string>>;
  certificate(): Found["tls"];
}

export function createCloud(): Cloud {
  const identity = { ...makeIdentity(), clientId: randomUUID() };
  const { publicJwk: jwk, principalId } = identity;
  const vaultRights = [...VAULT_RIGHTS];
  let made: { vault: Vault; arm: Arm; env: Record<string, string>; certificate: Found["tls"] } | undefined;
  const there = () => made ?? fail();
  return {
    identity,
    vaultRights,
    queueToken: (jwt) => isQueueToken(jwt, jwk),
    vault: () => there().vault,
    arm: () => there().arm,
    env: () => there().env,
    certificate: () => there().certificate,
    async prepare(found: Found): Promise<Reached> {
      const { caFile, cleanup, relay, tls: certificate } = found;
      // Storage is on HTTPS, and this process makes its tables and reads its links.
      const before = tls.getCACertificates("default");
      tls.setDefaultCACertificates([...before, readFileSync(caFile, "utf8")]);
      cleanup.add(before, (them) => tls.setDefaultCACertificates(them));
      const issuer = (rights: readonly string[]) => ({ jwk, rights: { [principalId]: rights } });
      const vault = cleanup.add(
        await startVault({ tls: certificate, issuer: issuer(vaultRights), keys: [SIGNING_KEY] }),
        (it) => it.close(),
      );
      const arm = await startArm({
        tls: certificate,
        issuer: issuer(ARM_RIGHTS),
        relay: { put: (entity) => relay.putEntity(entity), remove: (path) => relay.removeEntity(path) },
      });
      cleanup.add(arm, (it) => it.close());
      const door = cleanup.add(await openDoor(), (it) => it.close());
      const host = `localhost:${relay.controlPort}`;
      const value = `Endpoint=sb://${host}/;SharedAccessKeyName=listen;SharedAccessKey=${relay.listenKey}`;
      vault.secrets.add("relay-listen", { value, contentType: undefined, tags: {} });
      const env = settingsOf(found, {
        clientId: identity.clientId,
        vault: vault.url,
        arm: arm.url,
        origin: door.origin,
      });
      made = { vault, arm, env, certificate };
      return { env, origin: door.origin, opened: (url) => door.leadTo(url) };
    },
  };
}

const fail = (): never => {
  throw new Error("the cloud is not prepared yet");
};

interface Addresses {
  readonly clientId: string;
  readonly vault: string;
  readonly arm: string;
  readonly origin: string;
}

/** The settings that infra/app/function-app.bicep sets, in its order, and the one file that an authority of our own needs. */
function settingsOf({ adminKey, caFile, queue, relay, storage }: Found, at: Addresses): Record<string, string> {
  return {
    AzureWebJobsStorage__accountName: "sthostx",
    AzureWebJobsStorage__credential: "managedidentity",
    AzureWebJobsStorage__clientId: at.clientId,
    SALLYPORT_SERVICEBUS__credential: "managedidentity",
    SALLYPORT_SERVICEBUS__clientId: at.clientId,
    AZURE_CLIENT_ID: at.clientId,
    AZURE_TOKEN_CREDENTIALS: "ManagedIdentityCredential",
    APPLICATIONINSIGHTS_CONNECTION_STRING: "InstrumentationKey=00000000-0000-0000-0000-000000000000",
    FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: "1048576",
    NODE_OPTIONS: "--max-semi-space-size=4",
    MALLOC_ARENA_MAX: "2",
    MALLOC_MMAP_THRESHOLD_: "131072",
    SALLYPORT_SERVICEBUS__fullyQualifiedNamespace: `localhost:${queue.port}`,
    SALLYPORT_ADMIN_KEY_SHA256: createHash("sha256").update(adminKey).digest("hex"),
    SALLYPORT_TABLES: storage.tableUrl,
    SALLYPORT_BLOBS: storage.blobUrl,
    SALLYPORT_CONTAINER: "sallyport",
    SALLYPORT_RELAY: `localhost:${relay.controlPort}`,
    SALLYPORT_RELAY_LISTEN: `${at.vault}/secrets/relay-listen`,
    SALLYPORT_RELAY_RESOURCE: `${at.arm}/subscriptions/s/resourceGroups/rg-x/providers/Microsoft.Relay/namespaces/relay-x`,
    SALLYPORT_SIGNING_KEY: `${at.vault}/keys/${SIGNING_KEY}`,
    SALLYPORT_SECRETS: at.vault,
    SALLYPORT_ORIGIN: at.origin,
    NODE_EXTRA_CA_CERTS: caFile,
  };
}

/** A token of the identity for Service Bus, good now. Synchronous, as the emulator asks. */
function isQueueToken(jwt: string, jwk: { kty: string; crv: string; x: string; y: string }): boolean {
  const [header = "", payload = "", signature = ""] = jwt.split(".");
  const key = createPublicKey({ key: jwk, format: "jwk" });
  const signed = Buffer.from(`${header}.${payload}`);
  const isOurs = verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"));
  if (!isOurs) return false;
  const { aud, exp } = JSON.parse(Buffer.from(payload, "base64url").toString()) as { aud?: string; exp?: number };
  return aud?.replace(/\/+$/, "") === "https://servicebus.azure.net" && (exp ?? 0) * 1000 > Date.now();
}
