/** A receiver of webhooks on a real HTTPS socket, which does what a test says. Only tests load this file. */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from "node:tls";
import type { CloudEvent } from "@sallyport/shared/schema/events.ts";
import { makeAuthority } from "../../../test/emulators/tls/certificates.ts";

export interface Received {
  readonly headers: IncomingMessage["headers"];
  /** The name that the client asked for in TLS. */
  readonly name: string | undefined;
  readonly body: string;
  readonly event: CloudEvent;
}

export interface TestReceiver {
  readonly port: number;
  /** All that came, whatever was answered. */
  readonly received: Received[];
  /** Ids of those that were answered with 200. */
  readonly taken: string[];
  /** What to answer; by default 200. A number is a status; a function answers itself, or never. */
  answer: (received: Received, count: number) => number | ((response: ServerResponse) => void);
  close(): Promise<void>;
}

const authority = await makeAuthority();
// What NODE_EXTRA_CA_CERTS does for a process that is started with it.
setDefaultCACertificates([...getCACertificates("default"), authority.caPem]);

/** @param names that its certificate is for */
export async function startReceiver(names: readonly string[] = ["localhost", "hooks.example"]): Promise<TestReceiver> {
  const certificate = await authority.issue({ names, addresses: ["127.0.0.1"] });
  const sockets = new Set<Duplex>();
  const server = createServer({ ...certificate }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      const name = (request.socket as TLSSocket & { servername?: string }).servername;
      const one = { headers: request.headers, name, body, event: JSON.parse(body) as CloudEvent };
      receiver.received.push(one);
      const answer = receiver.answer(one, receiver.received.length);
      if (typeof answer === "function") return answer(response);
      if (answer === 200) receiver.taken.push(one.event.id);
      response.writeHead(answer).end();
    });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const receiver: TestReceiver = {
    port: (server.address() as AddressInfo).port,
    received: [],
    taken: [],
    answer: () => 200,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return receiver;
}
