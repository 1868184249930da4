/** Requests to Tables and blobs as they leave our clients, by kind: what Azure would count, and bill. */
import { TableClient } from "@azure/data-tables";
import { BlobServiceClient, type ContainerClient, newPipeline } from "@azure/storage-blob";

/** `query`: a page of a range; `read`: one entity by its keys; `transaction`: all writes but a single conditional delete. */
export type Kind = "query" | "read" | "transaction" | "delete" | "blob" | "other";
export type Operations = Readonly<Record<Kind, number>>;

export interface Counted {
  connectTable(name: string): TableClient;
  readonly container: ContainerClient;
  /** Those since the last call. */
  take(): Operations;
}

export const NONE: Operations = { query: 0, read: 0, transaction: 0, delete: 0, blob: 0, other: 0 };

export function countOperations(connectionString: string, container: string): Counted {
  let counts = { ...NONE };
  const service = BlobServiceClient.fromConnectionString(connectionString);
  const pipeline = newPipeline(service.credential);
  pipeline.factories.push({
    create: (next) => ({
      sendRequest(request) {
        counts.blob += 1;
        return next.sendRequest(request);
      },
    }),
  });
  return {
    connectTable(name) {
      const client = TableClient.fromConnectionString(connectionString, name, { allowInsecureConnection: true });
      client.pipeline.addPolicy({
        name: "counted",
        sendRequest(request, next) {
          counts[kindOf(request.method, new URL(request.url).pathname)] += 1;
          return next(request);
        },
      });
      return client;
    },
    container: new BlobServiceClient(service.url, pipeline).getContainerClient(container),
    take() {
      const taken = counts;
      counts = { ...NONE };
      return taken;
    },
  };
}

/** By the REST API's own forms (learn.microsoft.com/rest/api/storageservices/table-service-rest-api). */
export function kindOf(method: string, path: string): Kind {
  if (method === "POST" && path.endsWith("/$batch")) return "transaction";
  if (method === "DELETE") return "delete";
  if (method === "GET") return path.endsWith("()") ? "query" : "read";
  return "other";
}

export const total = (operations: Operations): number => Object.values(operations).reduce((sum, each) => sum + each, 0);
