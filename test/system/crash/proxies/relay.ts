/** Before the relay: TLS ends here and begins anew; the handshake is one request, and each binary message of the host's another. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { connect } from "node:tls";
import type { Gate } from "../gate.ts";
import { sessionRecord } from "../seen.ts";
import type { OpenProxy } from "./http.ts";
import { type Cut, join } from "./stream.ts";

export interface RelayProxyOptions {
  readonly targetPort: number;
  readonly tls: { readonly key: string; readonly cert: string };
  readonly ca: string;
}

export async function openRelayProxy({ targetPort, tls, ca }: RelayProxyOptions, gate: Gate): Promise<OpenProxy> {
  const sockets = new Set<Duplex>();
  const server = createServer(tls, (_, response) => void response.writeHead(404).end());

  async function dial(incoming: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    const seen = { step: "dial" } as const;
    const fate = await gate.before(seen);
    if (fate === "drop") return void client.destroy();
    const upstream = connect({ host: "127.0.0.1", port: targetPort, servername: "localhost", ca });
    sockets.add(upstream);
    upstream.once("close", () => sockets.delete(upstream));
    upstream.write(handshakeOf(incoming));
    if (head.length > 0) client.unshift(head);
    const withheld = fate === "withhold" ? seen : undefined;
    await join({ client, server: upstream, cut: cutMessage, withheld }, gate);
  }

  server.on("upgrade", (incoming: IncomingMessage, client: Duplex, head: Buffer) => {
    sockets.add(client);
    client.once("close", () => sockets.delete(client)).on("error", () => undefined);
    void dial(incoming, client, head);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function handshakeOf({ method, url, rawHeaders }: IncomingMessage): string {
  const headers = rawHeaders.flatMap((text, index) => (index % 2 === 0 ? [`${text}: ${rawHeaders[index + 1]}`] : []));
  return `${[`${method} ${url} HTTP/1.1`, ...headers].join("\r\n")}\r\n\r\n`;
}

const BINARY = 0x2;
const MASK_BYTES = 4;

/** A client's frame (RFC 6455, section 5.2): always masked. */
const cutMessage: Cut = (bytes) => {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 0x7f;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + extended + MASK_BYTES;
  if (bytes.length < start) return undefined;
  const payload = extended === 0 ? short : extended === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < start + payload) return undefined;
  const isRecord = (bytes[0]! & 0x0f) === BINARY && payload > 0;
  return {
    length: start + payload,
    seen: isRecord ? sessionRecord(bytes[start]! ^ bytes[start - MASK_BYTES]!) : undefined,
  };
};
