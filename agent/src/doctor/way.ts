/** Steps on the way to a system of the policy: each has its time and, where it fails, its own advice. */
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import type { TLSSocket } from "node:tls";
import { EXPIRES_SOON_DAYS, type Verdict } from "./check.ts";

/** A step that failed: what was found, and what helps. */
export class Failed extends Error {
  readonly advice: string;
  constructor(details: string, advice: string) {
    super(details);
    this.advice = advice;
  }
}

/** Looks with sockets that are all closed afterwards, the last one first. */
export async function lookWithSockets(look: (sockets: Socket[]) => Promise<Verdict>): Promise<Verdict> {
  const sockets: Socket[] = [];
  try {
    return await look(sockets);
  } catch (error) {
    if (error instanceof Failed) return { status: "FAIL", details: error.message, advice: error.advice };
    throw error;
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/** What came of it, and in how many milliseconds. @throws Failed */
export async function step<T>(
  signal: AbortSignal,
  work: Promise<T>,
  what: string,
  advice: string,
): Promise<readonly [result: T, ms: number]> {
  const began = performance.now();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(new Failed(`${what}: no answer in time`, advice));
  signal.addEventListener("abort", abort, { once: true });
  try {
    if (signal.aborted) abort();
    const result = await Promise.race([work, aborted]);
    return [result, Math.round(performance.now() - began)];
  } catch (error) {
    if (error instanceof Failed) throw error;
    const { code } = error as { code?: unknown };
    throw new Failed(`${what}: ${typeof code === "string" ? code : "the connection ended"}`, advice);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** The name, then the port. @throws Failed */
export async function reach(
  { host, port }: { readonly host: string; readonly port: number },
  tcpAdvice: string,
  sockets: Socket[],
  signal: AbortSignal,
): Promise<{ readonly socket: Socket; readonly steps: string }> {
  const dnsAdvice = `Is ${host} right in the policy, and does this machine's DNS know it?`;
  const [address, dnsMs] = await step(signal, lookup(host), "DNS", dnsAdvice);
  const socket = connect({ host: address.address, port });
  sockets.push(socket);
  socket.on("error", () => undefined);
  const [, tcpMs] = await step(signal, once(socket, "connect"), "TCP", tcpAdvice);
  return { socket, steps: `DNS ${dnsMs}, TCP ${tcpMs}` };
}

/** What a server's certificate says of it. @param hasCa the policy names authorities. @throws Failed */
export function judgeCertificate(secure: TLSSocket, hasCa: boolean, steps: string): Verdict {
  const { issuer, valid_to: validTo } = secure.getPeerCertificate();
  if (!secure.authorized) {
    const by = typeof issuer?.CN === "string" ? `TLS issued by "${issuer.CN}", ` : "TLS ";
    throw new Failed(
      `${by}not trusted: ${String(secure.authorizationError)}`,
      hasCa
        ? "Is the authority in `tls.ca` the one that issued it, and does it name the server as `address` does?"
        : "Give its authority in `tls.ca` of the connection, and write `address` as the certificate names the server.",
    );
  }
  const days = Math.floor((Date.parse(validTo) - Date.now()) / 86_400_000);
  if (days > EXPIRES_SOON_DAYS) return { status: "ok", details: steps };
  return {
    status: "warn",
    details: `${steps}; certificate ends in ${days} days`,
    advice: "Renew the server's certificate.",
  };
}
