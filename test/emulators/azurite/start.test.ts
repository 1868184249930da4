import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { TableClient } from "@azure/data-tables";
import { BlobServiceClient } from "@azure/storage-blob";
import { makeAuthority } from "../tls/certificates.ts";
import { startAzurite } from "./start.ts";

test("blob and table answer their real clients on free ports, and nothing answers after close", async () => {
  const folder = await mkdtemp(join(tmpdir(), "azurite-"));
  try {
    const azurite = await startAzurite({ folder });
    assert.match(azurite.blobUrl, /^http:\/\/127\.0\.0\.1:[1-9]\d*\/devstoreaccount1$/);
    const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient("data");
    await container.create();
    await container.getBlockBlobClient("a").upload("hello", 5);
    assert.equal((await container.getBlobClient("a").downloadToBuffer()).toString(), "hello");
    const options = { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } };
    const table = TableClient.fromConnectionString(azurite.connectionString, "things", options);
    await table.createTable();
    await table.createEntity({ partitionKey: "p", rowKey: "r", n: 1 });
    assert.equal((await table.getEntity("p", "r")).n, 1);
    await azurite.close();
    await assert.rejects(table.getEntity("p", "r"), { code: "ECONNREFUSED" });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("with a certificate it speaks HTTPS", async () => {
  const folder = await mkdtemp(join(tmpdir(), "azurite-"));
  const authority = await makeAuthority();
  const azurite = await startAzurite({
    folder,
    tls: await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
  });
  try {
    assert.match(azurite.tableUrl, /^https:/);
    const status = await new Promise((resolve, reject) => {
      const options = { ca: authority.caPem, agent: false };
      request(`${azurite.blobUrl}?comp=list`, options, (response) => resolve(response.resume().statusCode))
        .on("error", reject)
        .end();
    });
    assert.equal(status, 403);
  } finally {
    await azurite.close();
    await rm(folder, { recursive: true, force: true });
  }
});
