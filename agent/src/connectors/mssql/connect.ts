/** One connection for one session: encrypted, named so that the server's administrator finds it, closed afterwards. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { Connection, type ConnectionConfiguration, Request } from "tedious";
import type { Target } from "../connector.ts";
import { connectError, type ServerMessage, statementError, tookLogin } from "./errors.ts";
import { installHook } from "./hook.ts";
import { portOfInstance, splitInstance } from "./instance.ts";
import { refuseOverPrivileged } from "./privilege.ts";
import type { Session } from "./session.ts";
import { type Authentication, authenticationOf } from "./sign-in.ts";

const CONNECT_TIMEOUT_MS = 15_000;
/** After this long without an answer to a cancel the connection is destroyed. */
const CANCEL_TIMEOUT_MS = 5_000;
const LOCK_TIMEOUT_MS = 10_000;
/** The largest packet that SQL Server sends through TLS inside TDS; fewer, larger packets cost less. */
const PACKET_BYTES = 16_368;
const CONTEXT_INFO_BYTES = 128;
const MAX_TEXT_BYTES = 2 ** 31 - 1;

/**
 * Does `work` on a connection of its own, which is closed afterwards.
 * @throws SallyportError `connection.*`, what `work` throws, or `request.cancelled` for whatever an abort made of it.
 */
export async function withSession<T>(
  target: Target,
  cellBytes: number,
  work: (session: Session) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  try {
    const session = await openSession(target, cellBytes, signal);
    try {
      return await work(session);
    } finally {
      await session.close();
    }
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    if (signal.aborted) throw new SallyportError("request.cancelled", "The request was cancelled.", {}, error);
    throw error;
  }
}

/** @throws SallyportError `connection.*`, or the signal's reason. */
export async function openSession(target: Target, cellBytes: number, signal: AbortSignal): Promise<Session> {
  signal.throwIfAborted();
  const authentication = authenticationOf(target.credential);
  installHook();
  const { server, instance } = splitInstance(target.host);
  const port = instance === undefined ? target.port : await portOfInstance(server, instance, target.port, signal);
  const connection = new Connection(configuration(target, { server, port }, authentication, cellBytes));
  const messages: ServerMessage[] = [];
  connection.on("errorMessage", (message) => messages.push(message as unknown as ServerMessage));
  // Without a listener a socket error would end the process; the statement that runs reports it.
  connection.on("error", () => {});
  // The server would send us elsewhere, to an address that the owner's policy does not name.
  let rerouted = false;
  (connection as NodeJS.EventEmitter).on("rerouting", () => {
    rerouted = true;
    connection.close();
  });
  const session = { connection, messages, close: () => closed(connection) };
  tellWhenSent(connection, target);
  try {
    await connected(connection, signal);
    target.onLogin?.("accepted");
    await introduce(session, target.requestId, signal);
    if (target.refuseOverPrivileged) await refuseOverPrivileged(session, signal);
    return session;
  } catch (error) {
    await session.close();
    signal.throwIfAborted();
    if (rerouted) {
      target.onLogin?.("accepted");
      throw new SallyportError("connection.redirected", "The server redirects to another address.");
    }
    if (error instanceof SallyportError) throw error;
    const told = connectError(error, messages, target.credential.signIn);
    if (tookLogin(told)) target.onLogin?.("accepted");
    throw told;
  }
}

/**
 * The driver says nothing between its pre-login and the server's answer, so its own method that writes LOGIN7 is where
 * the password leaves. @throws TypeError where a new version has no such method: better no session than one uncounted.
 */
function tellWhenSent(connection: Connection, target: Target): void {
  const driver = connection as unknown as { sendLogin7Packet?: (...args: unknown[]) => unknown };
  const send = driver.sendLogin7Packet;
  if (send === undefined) throw new TypeError("This driver sends its login some other way.");
  driver.sendLogin7Packet = (...args) => {
    target.onLogin?.("sent");
    return send.apply(connection, args);
  };
}

function configuration(
  target: Target,
  { server, port }: { readonly server: string; readonly port: number },
  authentication: Authentication,
  cellBytes: number,
): ConnectionConfiguration {
  const { tls } = target;
  return {
    server,
    authentication,
    options: {
      port,
      // A listener of an availability group has addresses in several subnets, of which one answers.
      multiSubnetFailover: true,
      database: target.database,
      encrypt: tls.mode === "strict" ? "strict" : true,
      trustServerCertificate: tls.mode === "trustAnyCertificate",
      cryptoCredentialsDetails: tls.caPem === undefined ? {} : { ca: tls.caPem },
      appName: `sallyport/${target.connection}`.slice(0, 128),
      connectTimeout: CONNECT_TIMEOUT_MS,
      cancelTimeout: CANCEL_TIMEOUT_MS,
      // The driver's own stops at the first packet; ours are in stream.ts.
      requestTimeout: 0,
      maxRetriesOnTransientErrors: 0,
      packetSize: PACKET_BYTES,
      // A longer value arrives cut, but never so short that the cell's limit would let it pass.
      textsize: Math.min(MAX_TEXT_BYTES, cellBytes * 2 + 16),
      useUTC: true,
    },
  };
}

function connected(connection: Connection, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => connection.close();
    signal.addEventListener("abort", abort, { once: true });
    connection.connect((error) => {
      signal.removeEventListener("abort", abort);
      if (error) reject(error);
      else resolve();
    });
  });
}

/** Settings of the session, and the request's id where the administrator looks for it (`sys.dm_exec_sessions`). */
function introduce(session: Session, requestId: string, signal: AbortSignal): Promise<void> {
  const id = Buffer.from(requestId, "utf8").subarray(0, CONTEXT_INFO_BYTES);
  const context = id.length === 0 ? "" : `; SET CONTEXT_INFO 0x${id.toString("hex")}`;
  const sql = `SET LOCK_TIMEOUT ${LOCK_TIMEOUT_MS}; SET DEADLOCK_PRIORITY LOW${context}`;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    // Nothing was begun that would have to be told to end.
    const abort = (): void => session.connection.close();
    signal.addEventListener("abort", abort, { once: true });
    const request = new Request(sql, (error) => {
      signal.removeEventListener("abort", abort);
      if (error) reject(statementError(error, session.messages));
      else resolve();
    });
    session.connection.execSqlBatch(request);
  });
}

function closed(connection: Connection): Promise<void> {
  return new Promise((resolve) => {
    const { socket } = connection as unknown as { socket?: { readonly closed: boolean } & NodeJS.EventEmitter };
    if (socket === undefined || socket.closed) resolve();
    else socket.once("close", () => resolve());
    connection.close();
  });
}
