/** A connection of the policy: name, port, SQL Server behind it, and its certificate. The login is not tried. */
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { connect, isIP, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { type MssqlConnection, splitAddress } from "@sallyport/shared/schema/policy.ts";
import type { Check, Finding } from "./check.ts";
import { encryptionOf, handshakeStream, preloginRequest, readPacket } from "./tds.ts";

const EXPIRES_SOON_DAYS = 14;

/** A step that failed: what was found, and what helps. */
class Failed extends Error {
  readonly advice: string;
  constructor(details: string, advice: string) {
    super(details);
    this.advice = advice;
  }
}

type Result = Pick<Finding, "status" | "details"> & { readonly advice?: string };

/** @param caPem what the policy's `tls.ca` holds, as the agent trusts it: alone. */
export function checkConnection(name: string, connection: MssqlConnection, caPem: string | undefined): Check {
  return async (signal) => {
    const where = { component: name, target: connection.address };
    const sockets: Socket[] = [];
    try {
      return { ...where, ...(await look(connection, caPem, sockets, signal)) };
    } catch (error) {
      if (error instanceof Failed) return { ...where, status: "FAIL", details: error.message, advice: error.advice };
      throw error;
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  };
}

async function look(
  connection: MssqlConnection,
  ca: string | undefined,
  sockets: Socket[],
  signal: AbortSignal,
): Promise<Result> {
  const { host, port } = splitAddress(connection.address);
  const [address, dnsMs] = await step(
    signal,
    lookup(host),
    "DNS",
    `Is ${host} right in the policy, and does this machine's DNS know it?`,
  );
  const socket = connect({ host: address.address, port });
  sockets.push(socket);
  socket.on("error", () => undefined);
  const [, tcpMs] = await step(
    signal,
    once(socket, "connect"),
    "TCP",
    "Does SQL Server listen on that port (TCP/IP switched on), and do the firewalls between let this machine through?",
  );
  const strict = connection.tls.mode === "strict";
  if (!strict) await prelogin(socket, signal);
  const name = isIP(host) === 0 ? { servername: host } : {};
  const secure = connectTls({
    ...{ socket: strict ? socket : handshakeStream(socket), host, ...name },
    // Looked at below: so the certificate can be told of.
    rejectUnauthorized: false,
    ...(ca === undefined ? {} : { ca }),
    ...(strict ? { ALPNProtocols: ["tds/8.0"] } : { maxVersion: "TLSv1.2" as const }),
  });
  secure.on("error", () => undefined);
  // Node 24 ends by a fault where the socket below a TLS one is destroyed first.
  sockets.unshift(secure);
  const [, tlsMs] = await step(
    signal,
    once(secure, "secureConnect"),
    "TLS",
    strict
      ? "`strict` needs SQL Server 2022 with a certificate; use `required` for others."
      : "The server's TLS is older than 1.2, or something between ends it: look at its certificate and protocols.",
  );
  return judged(secure, connection, `DNS ${dnsMs}, TCP ${tcpMs}, TLS ${tlsMs} ms; login not tested`);
}

async function prelogin(socket: Socket, signal: AbortSignal): Promise<void> {
  const advice = "Something else than SQL Server answers there: is the port right?";
  socket.write(preloginRequest());
  const [answer] = await step(signal, readPacket(socket), "prelogin", advice);
  const encryption = encryptionOf(answer);
  if (encryption === undefined) throw new Failed("prelogin: no answer of SQL Server's", advice);
  if (encryption === "unsupported") {
    throw new Failed(
      "the server does not encrypt",
      "Give the server a certificate; the agent sends no login without TLS.",
    );
  }
}

function judged(secure: TLSSocket, { tls }: MssqlConnection, steps: string): Result {
  const { issuer, valid_to: validTo } = secure.getPeerCertificate();
  if (tls.mode === "trustAnyCertificate") {
    const advice = "Anybody between can read along: give the server's authority in `tls.ca`, and use `required`.";
    return { status: "warn", details: `${steps}; any certificate is trusted`, advice };
  }
  if (!secure.authorized) {
    const by = typeof issuer?.CN === "string" ? `TLS issued by "${issuer.CN}", ` : "TLS ";
    throw new Failed(
      `${by}not trusted: ${String(secure.authorizationError)}`,
      tls.ca === undefined
        ? "Give its authority in `tls.ca` of the connection, and write `address` as the certificate names the server."
        : "Is the authority in `tls.ca` the one that issued it, and does it name the server as `address` does?",
    );
  }
  const days = Math.floor((Date.parse(validTo) - Date.now()) / 86_400_000);
  return days > EXPIRES_SOON_DAYS
    ? { status: "ok", details: steps }
    : {
        status: "warn",
        details: `${steps}; certificate ends in ${days} days`,
        advice: "Renew the server's certificate.",
      };
}

/** What came of it, and in how many milliseconds. @throws Failed */
async function step<T>(
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
