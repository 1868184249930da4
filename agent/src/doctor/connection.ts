/** A connection of the policy: name, port, the server behind it, and its certificate. The login is not tried. */
import { once } from "node:events";
import { isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import {
  type DirectoryConnection,
  type MssqlConnection,
  type Policy,
  splitAddress,
} from "@sallyport/shared/schema/policy.ts";
import { portOfInstance, splitInstance } from "../connectors/mssql/instance.ts";
import type { Check, Verdict } from "./check.ts";
import { encryptionOf, handshakeStream, preloginRequest, readPacket } from "./tds.ts";
import { Failed, judgeCertificate, lookWithSockets, reach, step } from "./way.ts";

/** @param caPem what the policy's `tls.ca` holds, as the agent trusts it: alone. */
export function checkConnection(
  name: string,
  connection: Policy["connections"][string],
  caPem: string | undefined,
): Check {
  return {
    ...{ id: "connection", component: name, target: connection.address },
    look: (signal) =>
      lookWithSockets((sockets) =>
        connection.kind === "mssql"
          ? lookAtSql(connection, caPem, sockets, signal)
          : lookAtDirectory(connection, caPem, sockets, signal),
      ),
  };
}

async function lookAtSql(
  connection: MssqlConnection,
  ca: string | undefined,
  sockets: Socket[],
  signal: AbortSignal,
): Promise<Verdict> {
  const where = await whereIs(connection.address, signal);
  const tcpAdvice =
    "Does SQL Server listen on that port (TCP/IP switched on), and do the firewalls between let this machine through?";
  const { socket, steps } = await reach(where, tcpAdvice, sockets, signal);
  const { mode } = connection.tls;
  const strict = mode === "strict";
  if (!strict) await prelogin(socket, signal);
  const secure = connectTls({
    ...{ socket: strict ? socket : handshakeStream(socket), host: where.host, ...nameFor(where.host) },
    // Looked at below: so the certificate can be told of.
    rejectUnauthorized: false,
    ...(ca === undefined ? {} : { ca }),
    ...(strict ? { ALPNProtocols: ["tds/8.0"] } : { maxVersion: "TLSv1.2" as const }),
  });
  secure.on("error", () => undefined);
  // Node 24 ends by a fault where the socket below a TLS one is destroyed first.
  sockets.unshift(secure);
  const advice = strict
    ? "`strict` needs SQL Server 2022 with a certificate; use `required` for others."
    : "The server's TLS is older than 1.2, or something between ends it: look at its certificate and protocols.";
  const [, tlsMs] = await step(signal, once(secure, "secureConnect"), "TLS", advice);
  const all = `${steps}, TLS ${tlsMs} ms; login not tested`;
  if (mode !== "trustAnyCertificate") return judgeCertificate(secure, connection.tls.ca !== undefined, all);
  return {
    status: "warn",
    details: `${all}; any certificate is trusted`,
    advice: "Anybody between can read along: give the server's authority in `tls.ca`, and use `required`.",
  };
}

/** The port of a named instance is asked of its host, as a session would. */
async function whereIs(
  address: string,
  signal: AbortSignal,
): Promise<{ readonly host: string; readonly port: number }> {
  const { host, port } = splitAddress(address);
  const { server, instance } = splitInstance(host);
  if (instance === undefined) return { host, port };
  const advice =
    "Is the instance's name right, does SQL Server Browser run there, and does UDP 1434 come through? A fixed port in `address` needs neither.";
  const [found] = await step(signal, portOfInstance(server, instance, port, signal), "SQL Server Browser", advice);
  return { host: server, port: found };
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

/** LDAPS is looked at like any TLS; the other modes begin in clear, so only the port is seen. */
async function lookAtDirectory(
  { address, tls }: DirectoryConnection,
  ca: string | undefined,
  sockets: Socket[],
  signal: AbortSignal,
): Promise<Verdict> {
  const where = splitAddress(address);
  const tcpAdvice =
    "Is that a domain controller's port (636 for LDAPS), and do the firewalls between let this machine through?";
  const { socket, steps } = await reach(where, tcpAdvice, sockets, signal);
  if (tls.mode !== "required") return { status: "ok", details: `${steps} ms; login and ${tls.mode} not tested` };
  const secure = connectTls({
    ...{ socket, host: where.host, ...nameFor(where.host), rejectUnauthorized: false },
    ...(ca === undefined ? {} : { ca }),
  });
  secure.on("error", () => undefined);
  sockets.unshift(secure);
  const advice = "Does the domain controller have a certificate for LDAPS, and is the port the one for it?";
  const [, tlsMs] = await step(signal, once(secure, "secureConnect"), "TLS", advice);
  return judgeCertificate(secure, tls.ca !== undefined, `${steps}, TLS ${tlsMs} ms; login not tested`);
}

/** Server names are names, no addresses (RFC 6066 section 3). */
const nameFor = (host: string): { servername?: string } => (isIP(host) === 0 ? { servername: host } : {});
