import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { it } from "node:test";
import type { Ring } from "@sallyport/shared/release/manifest.ts";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { createTables, openStore } from "../store/open.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { addRelease, type ReleaseDeps, releasePath, setRing } from "./releases.ts";

const azurite = await testAzurite();
await createTables((name) => azurite.connectTable(name));
const blobs = azurite.blobService.getContainerClient("results");
await blobs.create();
const deps: ReleaseDeps = {
  store: openStore((name) => azurite.connectTable(name), randomBytes),
  blobs,
  uploads: async (path) => blobs.getBlobClient(path).url,
  now: () => new Date(),
};

const CONTENT = Buffer.from("a program");
/** A release as its publisher signs it, with its file uploaded. */
async function publish(version: string, ring: Ring): Promise<void> {
  const name = `sallyport-${version}-linux-x64.tar.gz`;
  const file = { platform: "linux-x64", name, bytes: CONTENT.byteLength, unpackedBytes: 100, sha256: "0".repeat(64) };
  const notBefore = new Date(0).toISOString();
  const about = { v: 1, product: "sallyport-agent", version, channel: "stable", minimum: "1.0.0" };
  const said = { ...about, ring, notBefore, files: [file] };
  await addRelease(deps, { manifest: JSON.stringify(said), signature: "a signature" });
  await blobs.getBlockBlobClient(releasePath(version, name)).uploadData(CONTENT);
}

it("a release goes no further than its publisher signed it, and says so", async () => {
  await publish("1.1.0", "first");
  assert.equal((await setRing(deps, "stable", "1.1.0", "first")).ring, "first");
  for (const ring of ["early", "broad"] as const) {
    await assert.rejects(setRing(deps, "stable", "1.1.0", ring), {
      code: "api.conflict",
      message: /signed up to ring first only: publish it again with `--ring (early|broad)`/,
      detail: { ring, publishedTo: "first" },
    });
  }
  // The same files, signed for more.
  await publish("1.1.0", "broad");
  assert.equal((await setRing(deps, "stable", "1.1.0", "broad")).ring, "broad");
  assert.equal((await setRing(deps, "stable", "1.1.0", null)).ring, null);
});

it("no tenant's blobs are a release's", () => {
  const [folder = ""] = releasePath("1.1.0", "a.tar.gz").split("/");
  assert.equal(nameId.safeParse(folder).success, false);
});
