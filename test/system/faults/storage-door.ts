/** A way to blobs and tables that can answer as a failing storage account does: at once and with 503. */

import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ACCOUNT, type Azurite, KEY } from "../../emulators/azurite/start.ts";

export interface StorageDoor {
  /** For the orchestrator, in place of the storage's own. */
  readonly connectionString: string;
  /** Requests that were answered by the door itself. */
  readonly refused: number;
  /** From now on requests fail, each for which `fails` says so; `undefined` lets all pass again. */
  fail(fails: ((asked: Asked) => boolean) | undefined): void;
  close(): Promise<void>;
}

export interface Asked {
  readonly service: "blob" | "table";
  readonly method: string;
  readonly path: string;
}

export async function openStorageDoor(storage: Azurite): Promise<StorageDoor> {
  const target = { blob: new URL(storage.blobUrl).origin, table: new URL(storage.tableUrl).origin };
  let fails: ((asked: Asked) => boolean) | undefined;
  let refused = 0;
  const serve = (service: Asked["service"]) => (asked: IncomingMessage, answer: ServerResponse) => {
    const { method = "GET", url = "/" } = asked;
    if (fails?.({ service, method, path: url }) !== true) return pass(new URL(url, target[service]), asked, answer);
    refused++;
    asked.resume();
    answer.writeHead(503, { "x-ms-error-code": "ServerBusy" }).end();
  };
  const [blob, table] = [await listen(createServer(serve("blob"))), await listen(createServer(serve("table")))];
  const endpoint = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${ACCOUNT}`;
  return {
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${endpoint(blob)};TableEndpoint=${endpoint(table)};`,
    get refused() {
      return refused;
    },
    fail(which) {
      fails = which;
    },
    async close() {
      for (const server of [blob, table]) {
        const closed = once(server, "close");
        server.close();
        server.closeAllConnections();
        await closed;
      }
    },
  };
}

/** As it came: the signature is over path and headers. */
function pass(to: URL, asked: IncomingMessage, answer: ServerResponse): void {
  const onward = request(to, { method: asked.method, headers: asked.headers }, (got) => {
    answer.writeHead(got.statusCode ?? 502, got.headers);
    got.pipe(answer);
  });
  onward.on("error", () => answer.destroy());
  asked.on("error", () => onward.destroy());
  asked.pipe(onward);
}

async function listen(server: Server): Promise<Server> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
