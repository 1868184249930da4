/** A directory, or what only looks like one, with a tap before it: every byte that a session sends is counted and kept. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import type { DirectoryGrant } from "@sallyport/agent/src/connectors/directory-grant.ts";
import { connectorWithin } from "@sallyport/agent/src/connectors/ldap/index.ts";
import { withDirectory } from "@sallyport/agent/src/connectors/ldap/open.ts";
import type { Deadlines, DirectoryTarget } from "@sallyport/agent/src/connectors/ldap/target.ts";
import { STAFF, startDirectory, type TestDirectory } from "@sallyport/agent/src/connectors/ldap/test-directory.ts";
import { createRecorder } from "@sallyport/agent/src/connectors/mssql/test-output.ts";
import { NEVER_READ_ARCS, NEVER_READ_OIDS, NEVER_WRITTEN_OIDS } from "@sallyport/agent/src/policy/directory/never.ts";
import {
  adChanges,
  adSearch,
  adWrite,
  type DirectoryOperation,
} from "@sallyport/shared/schema/directory-operations.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { parse } from "../../../emulators/ldap/ber.ts";
import type { LdapOptions } from "../../../emulators/ldap/start.ts";
import { startTap, type Tap } from "../../../emulators/ldap/tap.ts";
import { type CertificateSubject, makeAuthority } from "../../../emulators/tls/certificates.ts";
import type { Wire } from "./failure.ts";

/** Every session's here. */
export const LOGIN = { user: "svc-sync@corp.example", password: "Correct-horse-7" } as const;

type Mode = DirectoryTarget["tls"]["mode"];

export interface Stage {
  readonly deadlines: Deadlines;
  /** What the breaker was told. */
  readonly steps: readonly string[];
  /** The emulator, and targets that lead to it through a tap. */
  directory(options?: Partial<LdapOptions>, port?: "ldapPort" | "ldapsPort"): Promise<TestDirectory>;
  /** A server of which only what it says to each piece that comes is of interest. */
  server(form: "tls" | "tcp", mode: Mode, answer: Answering, subject?: CertificateSubject): Promise<DirectoryTarget>;
  /** Port of a tap before this one. */
  through(port: number): Promise<number>;
  open(target: DirectoryTarget): Promise<void>;
  search(target: DirectoryTarget, wish?: object): Promise<void>;
  changes(target: DirectoryTarget, wish?: object): Promise<string>;
  write(target: DirectoryTarget, wish: object): Promise<void>;
  /** Whether nothing crossed the network but what should have, on one connection at most, which is gone by now or soon. */
  checkWire(wire: Wire): Promise<void>;
}

export type Answering = (socket: Socket, request: Buffer) => void;

const READ: DirectoryGrant = {
  ...{ kind: "directoryRead", rule: "staff", bases: [STAFF], classes: "*", attributes: "*", denied: [], denials: [] },
  neverRead: { oids: NEVER_READ_OIDS, arcs: NEVER_READ_ARCS },
};
const WRITE: DirectoryGrant = {
  ...{ kind: "directoryWrite", rule: "write", bases: [STAFF], destinations: [STAFF], classes: "*", denied: [] },
  ...{ attributes: ["department", "sAMAccountName", "userAccountControl"], denials: [] },
  ...{ neverWritten: NEVER_WRITTEN_OIDS, passwordSetsPerDay: 20, deletesPerRun: 10 },
};
const never = new AbortController().signal;

export function createStage(context: TestContext, deadlines: Deadlines): Stage {
  const taps: Tap[] = [];
  const steps: string[] = [];
  const told = (target: DirectoryTarget): DirectoryTarget => ({ ...target, onLogin: (step) => steps.push(step) });
  const act = async (target: DirectoryTarget, operation: DirectoryOperation, grant: DirectoryGrant) => {
    const recorder = createRecorder();
    await connectorWithin(deadlines)(told(target), operation, grant, DEFAULT_LIMITS, recorder, never);
    return recorder.plan?.to ?? "";
  };
  const stage: Stage = {
    deadlines,
    steps,
    async through(port) {
      const tap = await startTap(port);
      context.after(() => tap.close());
      taps.push(tap);
      return tap.port;
    },
    async directory(options, which = "ldapsPort") {
      const directory = await startDirectory(context, options);
      const port = await stage.through(directory.ldap[which]);
      return { ...directory, target: (different) => directory.target({ port, ...different }) };
    },
    async server(form, mode, answer, subject = { names: ["localhost"] }) {
      const authority = await makeAuthority();
      const server = await serve(context, form === "tls" ? await authority.issue(subject) : undefined, answer);
      return {
        ...{ connection: "corp", host: "localhost", port: await stage.through(server), requestId: "rq_1" },
        ...{ refuseOverPrivileged: false, credential: { ...LOGIN, signIn: "simple" } },
        tls: { mode, caPem: authority.caPem },
      };
    },
    open: (target) => withDirectory(told(target), async () => undefined, never, deadlines),
    async search(target, wish) {
      const asked = { op: "ad.search", base: STAFF, classes: ["user"], attributes: ["sAMAccountName"], ...wish };
      await act(target, adSearch.parse(asked), READ);
    },
    changes: (target, wish) =>
      act(
        target,
        adChanges.parse({ op: "ad.changes", base: STAFF, classes: ["user"], attributes: ["objectGUID"], ...wish }),
        READ,
      ),
    async write(target, wish) {
      await act(target, adWrite.parse({ op: "ad.write", class: "user", ...wish }), WRITE);
    },
    async checkWire(wire) {
      const connections = taps.reduce((sum, tap) => sum + tap.connections, 0);
      assert.ok(wire === "nothing" ? connections === 0 : connections === 1, `${connections} connections`);
      for (const tap of taps) {
        await tap.quiet();
        checkSaid(tap.said, wire);
      }
    },
  };
  return stage;
}

async function serve(
  context: TestContext,
  certificate: { readonly key: string; readonly cert: string } | undefined,
  answer: Answering,
): Promise<number> {
  const sockets = new Set<Socket>();
  const talk = (socket: Socket): void => {
    socket.on("data", (chunk) => answer(socket, chunk));
    socket.on("error", () => undefined);
  };
  const server = certificate === undefined ? createServer(talk) : createTlsServer(certificate, talk);
  server.on("tlsClientError", () => undefined);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(async () => {
    const closed = once(server, "close");
    for (const socket of sockets) socket.destroy();
    server.close();
    await closed;
  });
  return (server.address() as AddressInfo).port;
}

function checkSaid(said: Buffer, wire: Wire): void {
  // NTLM tells the user's name, and never the password.
  for (const secret of wire === "sealed" ? [LOGIN.password] : [LOGIN.password, LOGIN.user]) {
    for (const encoding of ["utf8", "utf16le"] as const) {
      const bytes = Buffer.from(secret, encoding);
      for (const form of [bytes, Buffer.from(bytes.toString("base64")), Buffer.from(bytes.toString("hex"))]) {
        assert.ok(!said.includes(form), `${encoding} of what nobody may read`);
      }
    }
  }
  if (wire === "nothing") assert.equal(said.length, 0);
  if (wire === "tls") assert.ok(isTls(said));
  if (wire === "startTls") {
    const clear = parse(said);
    assert.deepEqual(said.subarray(0, clear?.bytes), START_TLS);
    assert.ok(isTls(said.subarray(START_TLS.length)));
  }
}

/** All that a session says in the clear: message 1, the extended request, its name [RFC 4511 4.14.1]. */
const START_TLS = Buffer.from(`301d02010177188016${Buffer.from("1.3.6.1.4.1.1466.20037").toString("hex")}`, "hex");

/** Records one after the other, the last maybe cut short [RFC 8446 5.1]. */
function isTls(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; ) {
    const [kind = 0, major] = [bytes[at], bytes[at + 1]];
    if (kind < 20 || kind > 23 || (major !== undefined && major !== 3)) return false;
    if (at + 5 > bytes.length) return true;
    at += 5 + bytes.readUInt16BE(at + 3);
  }
  return true;
}
