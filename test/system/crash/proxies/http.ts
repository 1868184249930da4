/** Before one service of a storage account: knows requests and replies as wholes, so that either can be the last thing that happens. */
import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Gate } from "../gate.ts";
import type { HttpRequest, Seen } from "../seen.ts";

export interface OpenProxy {
  readonly port: number;
  /** Cuts every connection and frees the port. */
  close(): Promise<void>;
}

interface Reply {
  readonly response: IncomingMessage;
  readonly body: Buffer;
}

/** What was answered to whom; `status` 0 where no answer came. */
export type OnReply = (seen: Seen, status: number, body: string) => void;

/** @param target `http://host:port` of the service @param read says what a request is */
export async function openHttpProxy(
  target: string,
  read: (request: HttpRequest) => Seen,
  gate: Gate,
  onReply: OnReply = () => undefined,
): Promise<OpenProxy> {
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true });

  async function forward(incoming: IncomingMessage, body: Buffer): Promise<Reply> {
    const { method, url, headers } = incoming;
    const outgoing = request({ hostname, port, agent, method, path: url, headers });
    outgoing.end(body);
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    return { response, body: await whole(response) };
  }

  async function serve(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = await whole(incoming);
    // Bytes of blocks are of no interest, and all else is text.
    const text = body.length > 200_000 ? "" : body.toString("utf8");
    const seen = read({ method: incoming.method ?? "", url: incoming.url ?? "", body: text });
    const fate = await gate.before(seen);
    if (fate === "drop") return;
    const reply = await forward(incoming, body).catch(() => undefined);
    onReply(seen, reply?.response.statusCode ?? 0, reply?.body.toString("utf8") ?? "");
    if (fate === "withhold" && (await gate.after(seen)) === "drop") return;
    if (!reply) throw new Error("the service did not answer");
    answer.writeHead(reply.response.statusCode ?? 502, reply.response.headers);
    answer.end(reply.body);
    await once(answer, "close");
  }

  const server = createServer((incoming, answer) => {
    answer.on("error", () => undefined); // whoever asked may be gone, which is what this is for
    void serve(incoming, answer)
      .catch(() => undefined)
      .finally(() => {
        if (!answer.writableEnded) answer.destroy();
      });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

async function whole(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
