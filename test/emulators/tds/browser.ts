/** SQL Server Browser for one host: says by UDP on which port a named instance listens ([MC-SQLR]). */
import { createSocket } from "node:dgram";
import { once } from "node:events";

export interface BrowserOptions {
  /** Loopback address to bind. */
  readonly address: string;
  /** 0 takes a free one; clients expect 1434. */
  readonly port: number;
  /** TCP ports by instance. Names are compared without regard to case. */
  readonly instances: Readonly<Record<string, number>>;
  /** In place of the answer, for tests: what is sent, in turn. */
  readonly answers?: readonly Buffer[];
}

export interface Browser {
  readonly port: number;
  /** What was asked, kind byte included. */
  readonly asked: readonly Buffer[];
  close(): Promise<void>;
}

/** CLNT_UCAST_INST and SVR_RESP ([MC-SQLR] 2.2.3 and 2.2.5). */
const ASK_INSTANCE = 0x04;
const ANSWER = 0x05;

/** An answer as a server gives it. */
export function answerOf(text: string): Buffer {
  const head = Buffer.of(ANSWER, 0, 0);
  head.writeUInt16LE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text, "latin1")]);
}

export async function startBrowser({ address, port, instances, answers }: BrowserOptions): Promise<Browser> {
  const socket = createSocket("udp4");
  const asked: Buffer[] = [];
  socket.on("message", (question, from) => {
    asked.push(question);
    const reply = (bytes: Buffer): void => socket.send(bytes, from.port, from.address);
    if (answers !== undefined) return answers.forEach(reply);
    // A server says nothing to what it does not know.
    if (question[0] !== ASK_INSTANCE || question.at(-1) !== 0) return;
    const name = question.toString("latin1", 1, question.byteLength - 1).toUpperCase();
    const found = Object.entries(instances).find(([each]) => each.toUpperCase() === name);
    if (found === undefined) return;
    const [instance, tcp] = found;
    const facts = { ServerName: "SQL01", InstanceName: instance, IsClustered: "No", Version: "16.0.1000.6", tcp };
    reply(answerOf(`${Object.entries(facts).flat().join(";")};;`));
  });
  socket.bind(port, address);
  await once(socket, "listening");
  return {
    port: socket.address().port,
    asked,
    close: async () => {
      socket.close();
      await once(socket, "close");
    },
  };
}
