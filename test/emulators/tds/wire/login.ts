/** Who may come in: the answer to LOGIN7. */
import { mayEnter, type Server } from "../sql/principals.ts";
import { openSession } from "../sql/sessions.ts";
import type { State } from "../sql/state.ts";
import { type SqlError, sqlError } from "../values/errors.ts";
import type { Login7 } from "./login7.ts";
import type { Answer, Challenge } from "./ntlm.ts";
import {
  collationToken,
  DONE,
  doneToken,
  environmentText,
  errorToken,
  featureAck,
  infoToken,
  loginAck,
  routingToken,
  sspiToken,
} from "./tokens.ts";
import { createWriter, type Writer } from "./writer.ts";

export interface Gate {
  readonly server: Server;
  readonly defaultDatabase: string;
  readonly nextSpid: () => number;
}

/** A session, or the errors that the client is told; `trueState` is what only the server's log would say. */
export type Admission =
  | { readonly state: State }
  | { readonly errors: readonly SqlError[]; readonly trueState: number };

/** @param windows what a Windows login answered the challenge with; `login7.user` is then made of it. */
export function admit(gate: Gate, login7: Login7, windows?: Answer): Admission {
  const login = gate.server.logins.find(({ name }) => name.toLowerCase() === login7.user.toLowerCase());
  if (windows !== undefined) {
    // Only Windows knows whether it was the name or the password; the server tells neither.
    if (login === undefined || !windows.proves(login.password)) return { errors: [sqlError(18452)], trueState: 1 };
  } else {
    if (login === undefined || isWindowsName(login.name)) {
      return { errors: [sqlError(18456, login7.user)], trueState: 5 };
    }
    if (login.password !== login7.password) return { errors: [sqlError(18456, login7.user)], trueState: 8 };
  }
  const wanted = login7.database === "" ? gate.defaultDatabase : login7.database;
  const store = gate.server.stores.get(wanted.toLowerCase());
  if (store === undefined || !mayEnter(login, store))
    return { errors: [sqlError(4060, wanted), sqlError(18456, login7.user)], trueState: 38 };
  const { application, host } = login7;
  return { state: openSession({ spid: gate.nextSpid(), login, application, host, store, server: gate.server }) };
}

/** `DOMAIN\\user`: a login that Windows answers for. */
const isWindowsName = (name: string): boolean => name.includes("\\");

/** The answer to the first message of a Windows login [MS-TDS 2.2.7.21]. */
export function challengeTokens({ message }: Challenge): Writer {
  const writer = createWriter(512);
  sspiToken(writer, message);
  return writer;
}

/** @param route where to, for a client that is sent on */
export function admissionTokens(
  admission: Admission,
  login7: Login7,
  route: { readonly host: string; readonly port: number } | null,
): Writer {
  const writer = createWriter(2048);
  if ("errors" in admission) {
    // Clients see state 1 whatever the reason.
    for (const error of admission.errors) errorToken(writer, error, 1);
    doneToken(writer, DONE.batch, 0x02, 0, 0);
    return writer;
  }
  const { database } = admission.state.store;
  environmentText(writer, "database", database, "master");
  infoToken(writer, 5701, `Changed database context to '${database}'.`, 1);
  collationToken(writer);
  environmentText(writer, "language", "us_english", "");
  infoToken(writer, 5703, "Changed language setting to us_english.", 1);
  loginAck(writer);
  environmentText(writer, "packetSize", String(login7.packetBytes), "4096");
  if (login7.utf8) featureAck(writer);
  if (route !== null) routingToken(writer, route.host, route.port);
  doneToken(writer, DONE.batch, 0, 0, 0);
  return writer;
}
