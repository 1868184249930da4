/** Azurite behind a counter: every request of the function host to Tables and blobs, by kind. */
import { once } from "node:events";
import { Agent, createServer, type Server, request as send } from "node:http";
import type { AddressInfo } from "node:net";
import { startAzurite } from "../../emulators/azurite/start.ts";
import { kindOf, NONE, type Operations } from "../tick/operations.ts";

export interface CountedStorage {
  /** Straight to Azurite, not counted. */
  readonly direct: string;
  /** What the function app is given. */
  readonly connectionString: string;
  /** Those since the last call. */
  take(): Operations;
  close(): Promise<void>;
}

/** @param folder for its data, empty */
export async function startStorage(folder: string): Promise<CountedStorage> {
  const azurite = await startAzurite({ folder });
  let counts = { ...NONE };
  const keepAlive = new Agent({ keepAlive: true });
  const forward = async (to: string, isBlob: boolean): Promise<Server> => {
    const target = new URL(to);
    const server = createServer((incoming, answer) => {
      const path = new URL(incoming.url ?? "/", target).pathname;
      counts[isBlob ? "blob" : kindOf(incoming.method ?? "GET", path)] += 1;
      // A shared key signs method, path and headers, not the host.
      const { method, headers, url } = incoming;
      const onwards = { host: target.hostname, port: target.port, method, headers, path: url, agent: keepAlive };
      const outgoing = send(onwards, (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      });
      outgoing.on("error", () => answer.destroy());
      incoming.pipe(outgoing);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return server;
  };
  const [blobs, tables] = [await forward(azurite.blobUrl, true), await forward(azurite.tableUrl, false)];
  const moved = (text: string, from: string, server: Server): string => {
    const port = (server.address() as AddressInfo).port;
    return text.replace(new URL(from).origin, `http://127.0.0.1:${port}`);
  };
  return {
    direct: azurite.connectionString,
    connectionString: moved(moved(azurite.connectionString, azurite.blobUrl, blobs), azurite.tableUrl, tables),
    take() {
      const taken = counts;
      counts = { ...NONE };
      return taken;
    },
    async close() {
      for (const server of [blobs, tables]) {
        server.closeAllConnections();
        server.close();
      }
      keepAlive.destroy();
      await azurite.close();
    },
  };
}
