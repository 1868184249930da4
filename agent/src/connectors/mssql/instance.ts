/**
 * Where a named instance of SQL Server listens: its host's SQL Server Browser is asked, by UDP ([MC-SQLR]). The answer proves
 * nothing, and can lead to no more than another port of the host that the policy names: who listens there has to have the
 * certificate.
 */
import { lookup } from "node:dns/promises";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { connectDatagrams } from "../../datagrams.ts";

/** CLNT_UCAST_INST and SVR_RESP ([MC-SQLR] 2.2.3 and 2.2.5). */
const ASK_INSTANCE = 0x04;
const ANSWER = 0x05;
/** Longest answer about one instance. */
const ANSWER_BYTES = 1024;
/** Datagrams may be lost. */
const AGAIN_MS = 1_000;
const TRIES = 4;

/** `sql01\ERP` as host and instance; other hosts have none. */
export function splitInstance(host: string): { readonly server: string; readonly instance?: string } {
  const [server = "", instance] = host.split("\\");
  return instance === undefined ? { server } : { server, instance };
}

/**
 * The instance's TCP port. All addresses of the host are asked at once; the first answer counts.
 * @param browserPort SQL Server Browser's, 1434 by its standard
 * @throws SallyportError `connection.unreachable`, or the signal's reason
 */
export async function portOfInstance(
  server: string,
  instance: string,
  browserPort: number,
  signal: AbortSignal,
): Promise<number> {
  const unreachable = (message: string, cause?: unknown) =>
    new SallyportError("connection.unreachable", message, {}, cause);
  const addresses = await lookup(server, { all: true }).catch((error: Error) => {
    throw unreachable("The server's name is not known.", error);
  });
  const connected = await Promise.allSettled(addresses.map((address) => connectDatagrams(address, browserPort)));
  const sockets = connected.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  if (sockets.length === 0) {
    const [first] = connected.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
    throw unreachable("This machine has no way to the server.", first);
  }
  const found = Promise.withResolvers<number>();
  for (const socket of sockets) {
    socket.on("message", (answer) => {
      const port = portIn(answer, instance);
      if (port !== undefined) found.resolve(port);
    });
    // Refused by this address: another one may answer, and so may this one later.
    socket.on("error", () => {});
  }
  const question = Buffer.concat([Buffer.of(ASK_INSTANCE), Buffer.from(`${instance}\0`, "latin1")]);
  const ask = (): void => {
    for (const socket of sockets) socket.send(question, () => {});
  };
  let tries = 0;
  const again = setInterval(() => {
    tries += 1;
    if (tries < TRIES) ask();
    else found.reject(unreachable(`SQL Server Browser does not answer for the instance ${instance}.`));
  }, AGAIN_MS);
  const abort = (): void => found.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    ask();
    return await found.promise;
  } finally {
    clearInterval(again);
    signal.removeEventListener("abort", abort);
    for (const socket of sockets) socket.close();
  }
}

/** `ServerName;SQL01;InstanceName;ERP;IsClustered;No;Version;16.0.1000.6;tcp;57137;;` after kind and length. */
function portIn(answer: Buffer, instance: string): number | undefined {
  if (answer.byteLength < 3 || answer[0] !== ANSWER || answer.readUInt16LE(1) !== answer.byteLength - 3)
    return undefined;
  if (answer.byteLength > 3 + ANSWER_BYTES) return undefined;
  const words = answer.toString("latin1", 3).split(";");
  const told = (name: string): string | undefined => {
    const at = words.findIndex((word, index) => index % 2 === 0 && word === name);
    return at === -1 ? undefined : words[at + 1];
  };
  if (told("InstanceName")?.toUpperCase() !== instance.toUpperCase()) return undefined;
  const port = told("tcp") ?? "";
  return /^[1-9][0-9]{0,4}$/.test(port) && Number(port) <= 65_535 ? Number(port) : undefined;
}
