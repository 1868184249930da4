import assert from "node:assert/strict";
import { test } from "node:test";
import { BlobServiceClient, type UserDelegationKey } from "@azure/storage-blob";
import { testAzurite } from "../store/test-azurite.ts";
import { blobLinks } from "./links.ts";

const now = () => Date.UTC(2026, 0, 1);
const azurite = await testAzurite();

test("a link by the account's key reads its one blob, and nothing more", async () => {
  const service = azurite.blobService;
  const container = service.getContainerClient("links");
  await container.create();
  await container.getBlockBlobClient("a/b c").upload("hello", 5);
  await container.getBlockBlobClient("a/other").upload("no", 2);
  const url = await blobLinks(service, container, Date.now)("a/b c", Date.now() + 600_000);
  const status = async (address: string, method = "GET") => (await fetch(address, { method })).status;
  assert.equal(await (await fetch(url)).text(), "hello");
  assert.equal(await status(url.replace("b%20c", "other")), 403);
  assert.equal(await status(url, "DELETE"), 403);
  assert.equal(await status(url.replace("sp=r", "sp=rd")), 403);
  assert.equal(await status(await blobLinks(service, container, Date.now)("a/b c", Date.now() - 1000)), 403);
});

test("an identity's links are signed by a delegation key, fetched once", async () => {
  let fetched = 0;
  const key: UserDelegationKey = {
    signedObjectId: "object",
    signedTenantId: "directory",
    signedStartsOn: new Date(now()),
    signedExpiresOn: new Date(now() + 3600_000),
    signedService: "b",
    signedVersion: "2026-02-06",
    value: Buffer.alloc(32, 7).toString("base64"),
  };
  const service = new BlobServiceClient("https://contoso.blob.core.windows.net");
  service.getUserDelegationKey = async () => {
    fetched += 1;
    return key as Awaited<ReturnType<BlobServiceClient["getUserDelegationKey"]>>;
  };
  const links = blobLinks(service, service.getContainerClient("data"), now);
  const url = new URL(await links("acme/part.parquet", now() + 600_000));
  await links("acme/other.parquet", now() + 600_000);
  assert.equal(fetched, 1);
  assert.equal(`${url.origin}${url.pathname}`, "https://contoso.blob.core.windows.net/data/acme/part.parquet");
  const shown = Object.fromEntries(
    ["sp", "sr", "spr", "skoid", "se"].map((name) => [name, url.searchParams.get(name)]),
  );
  assert.deepEqual(shown, { sp: "r", sr: "b", spr: "https", skoid: "object", se: "2026-01-01T00:10:00Z" });
  assert.ok(url.searchParams.get("sig"));
});
