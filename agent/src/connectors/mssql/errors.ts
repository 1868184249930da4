/**
 * SQL Server's and the driver's errors as codes of ours. Messages are ours too: the server's own text quotes values
 * (245, 2627, 2628), so only numbers, state, class and the procedure's name go on.
 */
import { type ErrorCode, type ErrorDetail, SallyportError } from "@sallyport/shared/protocol/errors.ts";

/** An ERROR token, as the connection's `errorMessage` event gives it. */
export interface ServerMessage {
  readonly number: number;
  readonly state: number;
  readonly class: number;
  readonly procName?: string | undefined;
}

const NO_SESSIONS: readonly number[] = [10928, 10929, 18401, 18451, 18461, 40501, 49918, 49919, 49920];
const LOGON_TRIGGER = 17892;

const NUMBERS: readonly (readonly [code: ErrorCode, message: string, numbers: readonly number[]])[] = [
  ["connection.login_failed", "SQL Server refused the login.", [18456, 18470, 18487, 18488]],
  ["connection.login_failed", "A logon trigger of the server's refuses the login.", [LOGON_TRIGGER]],
  ["connection.login_failed", "The login names another server than the one that answers.", [40532]],
  ["connection.unreachable", "The server's own firewall does not let the agent's address in.", [40615]],
  // Busy, starting, or changing places: it is itself again in minutes.
  ["connection.unreachable", "SQL Server takes no sessions now.", NO_SESSIONS],
  ["connection.database", "The database is on a replica that serves no sessions now.", [976, 978, 979, 983]],
  ["connection.account_locked", "The login is locked out.", [18486]],
  ["connection.windows_login_refused", "SQL Server refused the Windows login.", [18452]],
  ["connection.database", "The database cannot be opened.", [911, 916, 927, 942, 945, 4060, 4063, 4064, 5011, 40613]],
  ["sql.not_found", "A table, column or procedure does not exist.", [207, 208, 2812, 3701, 4902]],
  [
    "sql.syntax",
    "SQL Server does not understand the statement.",
    [102, 103, 105, 137, 156, 170, 174, 195, 319, 4104, 8155],
  ],
  ["sql.permission", "The login lacks a permission.", [229, 230, 262, 297, 300, 371, 15247]],
  ["sql.constraint", "A constraint of the table refuses it.", [334, 513, 515, 544, 547, 550, 2601, 2627]],
  [
    "sql.overflow",
    "A value does not fit where it is put.",
    [220, 232, 241, 242, 245, 248, 2628, 8114, 8115, 8152, 9420],
  ],
  ["sql.deadlock", "The session was the victim of a deadlock.", [1205]],
  ["sql.timeout", "The server waited too long for a lock or for memory.", [1222, 8645, 8628]],
  ["sql.snapshot_unavailable", "The database does not allow snapshot isolation.", [3952]],
  ["sql.not_tracked", "Change Tracking is not on for the table.", [22105]],
  // DDL beside a snapshot: what was planned is not what is there now.
  ["request.plan_changed", "The table was altered while a snapshot read it.", [3961]],
  ["connection.lost", "The server ended the session.", [596, 6005, 17142, 40197]],
];

const detailOf = ({ number, state, class: severity, procName }: ServerMessage): ErrorDetail => ({
  number,
  state,
  class: severity,
  ...(procName === undefined || procName === "" ? {} : { procedure: procName.slice(0, 128) }),
});

/** The first message decides: later ones only say that the statement was terminated. */
export function serverError(messages: readonly ServerMessage[]): SallyportError | undefined {
  const first = messages.find((message) => message.class > 10);
  if (first === undefined) return undefined;
  const row = NUMBERS.find(([, , numbers]) => numbers.includes(first.number));
  const [code, message] = row ?? (["sql.failed", "SQL Server reported an error."] as const);
  return new SallyportError(code, message, detailOf(first));
}

const TLS_CODES = /^(ERR_TLS|ERR_SSL|EPROTO|EENCRYPT|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH)/;

/** The codes of an error and of what caused it, outermost first. */
function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string") codes.push(code);
  }
  return codes;
}

/** An error while connecting, up to and including the login. @param signIn the policy's word for how. */
export function connectError(error: unknown, messages: readonly ServerMessage[], signIn = "sql"): SallyportError {
  const told = serverError(messages);
  if (told !== undefined) return told;
  const codes = codesOf(error);
  const reason = codes.find((code) => TLS_CODES.test(code));
  if (reason !== undefined) {
    return new SallyportError("connection.tls", "No trusted TLS connection to SQL Server.", { reason });
  }
  if (codes.includes("ELOGIN")) {
    // Where Windows has NTLM switched off, a server ends the login without a number.
    return signIn === "windowsNtlm"
      ? new SallyportError("connection.windows_login_refused", "SQL Server refused the Windows login.")
      : new SallyportError("connection.login_failed", "SQL Server refused the login.");
  }
  return new SallyportError("connection.unreachable", "SQL Server does not answer.", {
    reason: codes.at(-1) ?? "none",
  });
}

/** Whether an error while connecting came after the password was taken, and so is no failed attempt: who counts those would lock out a login that is right. */
export const tookLogin = ({ code, detail: { number } }: SallyportError): boolean =>
  code === "connection.database" || number === LOGON_TRIGGER || NO_SESSIONS.includes(Number(number));

/** An error of a statement on an open connection. */
export function statementError(error: unknown, messages: readonly ServerMessage[]): SallyportError {
  const told = serverError(messages);
  if (told !== undefined) return told;
  const codes = codesOf(error);
  if (codes.includes("EPARAM")) return new SallyportError("request.invalid", "A parameter does not fit its type.");
  return new SallyportError("connection.lost", "The connection to SQL Server was lost.", {
    reason: codes.at(-1) ?? "none",
  });
}
