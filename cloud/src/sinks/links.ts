/** Links to single blobs, read-only where nothing else is said, by the account's key or by a user delegation key: the client's credential decides. */
import {
  BlobSASPermissions,
  type BlobServiceClient,
  type ContainerClient,
  generateBlobSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
  type UserDelegationKey,
} from "@azure/storage-blob";

/** An address that reads (or makes) one blob until `expiresAtMs`, and nothing else. */
export type Links = (path: string, expiresAtMs: number) => Promise<string>;

/** The service's own clock may be behind: a link that starts now would not be valid yet. */
const SKEW_MS = 5 * 60_000;
const KEY_LIFE_MS = 6 * 3600_000;

/**
 * `service.credential` is a StorageSharedKeyCredential when it was made from a connection string; otherwise a user
 * delegation key is fetched and kept for some hours (the identity needs the role Storage Blob Delegator).
 */
export function blobLinks(
  service: BlobServiceClient,
  container: ContainerClient,
  now: () => number,
  permissions: "r" | "cw" = "r",
): Links {
  let delegation: { readonly key: UserDelegationKey; readonly untilMs: number } | undefined;
  const delegationKey = async (untilMs: number): Promise<UserDelegationKey> => {
    if (delegation === undefined || delegation.untilMs < untilMs) {
      const endMs = now() + KEY_LIFE_MS;
      const key = await service.getUserDelegationKey(new Date(now() - SKEW_MS), new Date(endMs));
      delegation = { key, untilMs: endMs };
    }
    return delegation.key;
  };
  return async (path, expiresAtMs) => {
    const blob = container.getBlobClient(path);
    const values = {
      containerName: container.containerName,
      blobName: path,
      permissions: BlobSASPermissions.parse(permissions),
      startsOn: new Date(now() - SKEW_MS),
      expiresOn: new Date(expiresAtMs),
      protocol: blob.url.startsWith("https:") ? SASProtocol.Https : SASProtocol.HttpsAndHttp,
    };
    const { credential } = service;
    const signature =
      credential instanceof StorageSharedKeyCredential
        ? generateBlobSASQueryParameters(values, credential)
        : generateBlobSASQueryParameters(values, await delegationKey(expiresAtMs), service.accountName);
    return `${blob.url}?${signature}`;
  };
}
