/** A domain controller as far as a sign-in by NTLM sees it, for tests; what it says can be spoiled on its way. */
import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { readBer } from "../ber.ts";
import { createFraming, ldapMessageLength, saslBufferLength } from "../framing.ts";
import { element, explicitTag, integer, octets, oid, TAG } from "./der.ts";
import { createReceiver, createSender } from "./ntlm/protection.ts";
import { createNtlmServer, type NtlmAccount, type NtlmServerOptions } from "./ntlm/test-server.ts";
import { mechanismList } from "./spnego.ts";

export interface ControllerOptions extends NtlmServerOptions {
  readonly account: NtlmAccount;
  readonly tls?: { readonly key: string; readonly cert: string };
  /** What becomes of its last token's MIC. */
  readonly spoilMic?: (mic: Buffer) => Buffer | undefined;
  /** What becomes of each answer under the seal. */
  readonly spoilSealed?: (sealed: Buffer, nth: number) => Buffer;
  /** The mechanism that it says it took. */
  readonly mechanism?: string;
}

export interface TestController {
  readonly port: number;
  /** Every byte that came, in order. */
  readonly came: Buffer[];
  close(): Promise<void>;
}

const NTLM = "1.3.6.1.4.1.311.2.2.10";

export async function startController(options: ControllerOptions): Promise<TestController> {
  const came: Buffer[] = [];
  const sockets = new Set<Socket>();
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    converse(socket, options, came);
  };
  const server = options.tls === undefined ? createServer(serve) : createTlsServer(options.tls, serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as { port: number }).port,
    came,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function converse(socket: Socket, options: ControllerOptions, came: Buffer[]): void {
  const ntlm = createNtlmServer(options.account, options);
  const clear = createFraming(ldapMessageLength, 2 ** 20);
  const sealed = createFraming(saslBufferLength, 2 ** 20);
  let session: ReturnType<typeof protectionOf> | undefined;
  let answers = 0;
  const answer = (id: number, tag: number, code: number, diagnostic: string, rest?: Buffer) => {
    const body = [element(TAG.enumerated, Buffer.of(code)), octets(Buffer.alloc(0)), octets(Buffer.from(diagnostic))];
    const message = element(TAG.sequence, integer(id), element(tag, ...body, ...(rest === undefined ? [] : [rest])));
    if (session === undefined || tag === 0x61) return socket.write(message);
    const wrapped = (options.spoilSealed ?? ((whole) => whole))(session.sender.seal(message), answers++);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(wrapped.length);
    return socket.write(Buffer.concat([length, wrapped]));
  };
  const onMessage = (message: Buffer) => {
    const request = readBer(message).open(TAG.sequence);
    const id = request.integer();
    if (request.peek() !== 0x60) return answer(id, 0x78, 0, "");
    const bind = request.open(0x60);
    bind.integer();
    bind.text();
    const credentials = bind.open(explicitTag(3));
    credentials.text();
    const token = credentials.take(TAG.octets);
    if (token[0] === 0x60) {
      const challenge = ntlm.challenge(token.subarray(token.indexOf("NTLMSSP")));
      const mechanism = element(explicitTag(1), oid(options.mechanism ?? NTLM));
      return answer(id, 0x61, 14, "", credentialsOf(1, mechanism, element(explicitTag(2), octets(challenge))));
    }
    const fields = readBer(token).open(explicitTag(1)).open(TAG.sequence);
    const accepted = ntlm.accept(fields.open(explicitTag(2)).take(TAG.octets));
    if ("refused" in accepted) {
      const code = accepted.refused === "binding" ? "80090346" : "8009030C";
      return answer(
        id,
        0x61,
        49,
        `${code}: LdapErr: DSID-0C090400, comment: AcceptSecurityContext error, data 52e, v4563`,
      );
    }
    const mic = fields.isEmpty ? undefined : fields.open(explicitTag(3)).take(TAG.octets);
    const list = mechanismList("ntlm");
    if (mic === undefined) return answer(id, 0x61, 0, "", credentialsOf(0));
    if (!createReceiver(accepted.sessionKey, "client").verify(list, mic)) return answer(id, 0x61, 49, "MIC");
    const ours = createSender(accepted.sessionKey, "server").sign(list);
    const said = (options.spoilMic ?? ((whole) => whole))(ours);
    answer(id, 0x61, 0, "", credentialsOf(0, ...(said === undefined ? [] : [element(explicitTag(3), octets(said))])));
    session = protectionOf(accepted.sessionKey);
  };
  socket.on("data", (chunk) => {
    came.push(chunk);
    const framing = session === undefined ? clear : sealed;
    framing.push(chunk);
    for (let next = framing.next(); next !== undefined; next = framing.next()) {
      const message = session === undefined ? next : session.receiver.unseal(next.subarray(4));
      if (message === undefined) return socket.destroy();
      onMessage(message);
    }
  });
}

const protectionOf = (key: Buffer) => ({
  sender: createSender(key, "server", 1),
  receiver: createReceiver(key, "client", 1),
});

const credentialsOf = (state: number, ...fields: readonly Buffer[]): Buffer => {
  const all = [element(explicitTag(0), element(TAG.enumerated, Buffer.of(state))), ...fields];
  return element(0x87, element(explicitTag(1), element(TAG.sequence, ...all)));
};
