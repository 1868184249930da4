/** An Azurite for the tests of one file: state and blobs as in Azure, gone with the file. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { TableClient, type TableServiceClientOptions } from "@azure/data-tables";
import { BlobServiceClient, newPipeline, type RequestPolicyFactory } from "@azure/storage-blob";
import { startAzurite } from "../../../test/emulators/azurite/start.ts";

export interface TestAzurite {
  readonly blobService: BlobServiceClient;
  /** Without retries, through `policy`. */
  connectBlobs(policy: RequestPolicyFactory): BlobServiceClient;
  connectTable(name: string, options?: TableServiceClientOptions): TableClient;
}

/** To be awaited at the top of a test file. */
export async function testAzurite(): Promise<TestAzurite> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-azurite-"));
  const azurite = await startAzurite({ folder });
  after(async () => {
    await azurite.close();
    await rm(folder, { recursive: true, force: true });
  });
  const blobService = BlobServiceClient.fromConnectionString(azurite.connectionString);
  return {
    blobService,
    connectBlobs(policy) {
      const pipeline = newPipeline(blobService.credential, { retryOptions: { maxTries: 1 } });
      pipeline.factories.push(policy);
      return new BlobServiceClient(azurite.blobUrl, pipeline);
    },
    connectTable: (name, options) =>
      TableClient.fromConnectionString(azurite.connectionString, name, { allowInsecureConnection: true, ...options }),
  };
}
