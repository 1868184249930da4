/** Ports, names and certificates that lead nowhere, or to somebody else. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { int, octets, parse, sequence, tlv } from "../../../emulators/ldap/ber.ts";
import { makeAuthority } from "../../../emulators/tls/certificates.ts";
import type { Failure } from "./failure.ts";
import type { Answering, Stage } from "./stage.ts";

/** A port that was free a moment ago. */
async function closedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const silence: Answering = () => undefined;
const opens =
  (form: "tls" | "tcp", mode: "required" | "startTls", answer: Answering, subject = { names: ["localhost"] }) =>
  async (stage: Stage): Promise<void> =>
    stage.open(await stage.server(form, mode, answer, subject));

/** The bytes of an extended result for message 1. */
const extended = (code: number): Buffer => sequence(int(1), tlv(0x78, int(code, 0x0a), octets(""), octets("")));
const bound = sequence(int(1), tlv(0x65, int(0, 0x0a), octets(""), octets("")));
const CERTIFICATE = "The domain controller's certificate is not trusted, or not for this name and time.";

export const CONNECTING: readonly Failure[] = [
  {
    name: "a port where nobody listens",
    code: "connection.unreachable",
    message: "The domain controller does not answer.",
    ...{ ends: "answer", wire: "nothing", detail: { reason: "ECONNREFUSED" } },
    meet: async (stage) => stage.open((await stage.directory()).target({ port: await closedPort() })),
  },
  {
    name: "a host name that there is not",
    code: "connection.unreachable",
    message: "The domain controller does not answer.",
    ...{ ends: "answer", wire: "nothing" },
    meet: async (stage) => stage.open((await stage.directory()).target({ host: "no-such-host.invalid" })),
  },
  {
    name: "a certificate of an authority that is not trusted",
    code: "connection.tls",
    message: CERTIFICATE,
    ...{ ends: "answer", wire: "tls" },
    async meet(stage) {
      const { caPem } = await makeAuthority();
      const target = await stage.server("tls", "required", silence);
      await stage.open({ ...target, tls: { mode: "required", caPem } });
    },
  },
  {
    name: "a certificate for another name",
    code: "connection.tls",
    message: CERTIFICATE,
    ...{ ends: "answer", wire: "tls", detail: { reason: "ERR_TLS_CERT_ALTNAME_INVALID" } },
    meet: opens("tls", "required", silence, { names: ["dc1.elsewhere.example"] }),
  },
  {
    name: "a certificate that has expired",
    code: "connection.tls",
    message: CERTIFICATE,
    ...{ ends: "answer", wire: "tls", detail: { reason: "CERT_HAS_EXPIRED" } },
    async meet(stage) {
      const subject = { names: ["localhost"], endedMs: 60_000 };
      await stage.open(await stage.server("tls", "required", silence, subject));
    },
  },
  {
    name: "a port without TLS, where it is to begin at once",
    code: "connection.tls",
    message: "What answers there does not speak TLS 1.2 or later.",
    ...{ ends: "answer", wire: "tls" },
    meet: async (stage) => stage.open((await stage.directory({}, "ldapPort")).target()),
  },
  {
    name: "a server that takes the connection and says nothing",
    code: "connection.tls",
    message: "The domain controller did not finish TLS in time: is this a port for it?",
    ...{ ends: "connectMs", wire: "tls" },
    meet: opens("tcp", "required", silence),
  },
  {
    name: "a server that says nothing to the request for StartTLS",
    code: "directory.timeout",
    message: "The directory did not answer in time.",
    ...{ ends: "signInMs", wire: "startTls" },
    meet: opens("tcp", "startTls", silence),
  },
  {
    name: "StartTLS that is granted and never comes",
    code: "connection.tls",
    message: "The domain controller did not finish TLS in time: is this a port for it?",
    ...{ ends: "connectMs", wire: "startTls" },
    meet: opens("tcp", "startTls", (socket, request) => {
      if (parse(request)?.node.tag === 0x30) socket.write(extended(0));
    }),
  },
  {
    name: "StartTLS that is refused",
    code: "directory.busy",
    message: "The directory is not available just now.",
    ...{ ends: "answer", wire: "startTls" },
    meet: opens("tcp", "startTls", (socket) => socket.write(extended(52))),
  },
  {
    name: "an answer that comes along with the grant of StartTLS, in the clear",
    code: "directory.protocol",
    message: "The directory sent more than it was asked for.",
    ...{ ends: "answer", wire: "startTls" },
    meet: opens("tcp", "startTls", (socket) => socket.write(Buffer.concat([extended(0), bound]))),
  },
];
