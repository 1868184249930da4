/** Servers that answer the first question with what no directory should. */
import { int, octets, sequence, tlv } from "../../../emulators/ldap/ber.ts";
import type { Failure } from "./failure.ts";

/** The bytes of a result for message 1. */
const result = (tag: number, code: number, ...more: Buffer[]): Buffer =>
  sequence(int(1), tlv(tag, int(code, 0x0a), octets(""), octets(""), ...more));
const NOTICE = sequence(
  int(0),
  tlv(0x78, int(52, 0x0a), octets(""), octets("shutting down"), tlv(0x8a, "1.3.6.1.4.1.1466.20036")),
);
const beyond = sequence(int(1), tlv(0x64, octets(""), tlv(0x30, Buffer.from([0x30, 0x7f, 0x04]))));

type Told = Pick<Failure, "name" | "code" | "message" | "detail"> & {
  readonly says?: Buffer | readonly Buffer[] | "end";
};

/** Nothing follows where nothing is said, or half of something: the deadline of a sign-in ends it. */
const rowOf = ({ says, ...told }: Told): Failure => ({
  ...told,
  ...{ ends: told.code === "directory.timeout" ? "signInMs" : "answer", wire: "tls" },
  async meet(stage) {
    const target = await stage.server("tls", "required", (socket) => {
      if (says === "end") socket.end();
      else for (const piece of [says ?? []].flat()) socket.write(piece);
    });
    await stage.open(target);
  },
});

const ROWS: readonly Told[] = [
  { name: "silence", code: "directory.timeout", message: "The directory did not answer in time." },
  {
    name: "half a message",
    code: "directory.timeout",
    message: "The directory did not answer in time.",
    says: result(0x65, 0).subarray(0, 5),
  },
  {
    name: "one byte",
    code: "directory.timeout",
    message: "The directory did not answer in time.",
    says: Buffer.from([0x30]),
  },
  {
    name: "HTTP",
    code: "directory.protocol",
    message: "What answers there does not speak LDAP.",
    says: Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"),
  },
  {
    ...{
      name: "a message that claims 2 GB",
      code: "directory.protocol",
      message: "The directory announces a message that is too large.",
    },
    says: Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]),
  },
  {
    ...{
      name: "a length of five bytes",
      code: "directory.protocol",
      message: "What answers there does not speak LDAP.",
    },
    says: Buffer.from([0x30, 0x85, 0, 0, 0, 0, 1]),
  },
  {
    ...{
      name: "a message of indefinite length",
      code: "directory.protocol",
      message: "What answers there does not speak LDAP.",
    },
    says: Buffer.from([0x30, 0x80, 0x02, 0x01, 0x01]),
  },
  {
    ...{
      name: "garbage, then a good answer",
      code: "directory.protocol",
      message: "The directory sent what cannot be read as LDAP.",
    },
    says: Buffer.concat([Buffer.from([0x30, 3, 9, 9, 9]), result(0x65, 0)]),
  },
  {
    name: "an entry that goes beyond its end",
    code: "directory.protocol",
    message: "The directory sent what cannot be read as LDAP.",
    says: beyond,
  },
  {
    ...{
      name: "an answer to another question",
      code: "directory.protocol",
      message: "The directory answered what was not asked.",
    },
    says: sequence(int(7), tlv(0x65, int(0, 0x0a), octets(""), octets(""))),
  },
  {
    name: "an answer of another kind",
    code: "directory.protocol",
    message: "What answers there is no domain controller.",
    says: result(0x61, 0),
  },
  {
    name: "a root without a domain",
    code: "directory.protocol",
    message: "What answers there is no domain controller.",
    says: result(0x65, 0),
  },
  {
    name: "a notice of disconnection",
    code: "connection.lost",
    message: "The directory said that it ends the connection.",
    says: NOTICE,
    detail: { number: 52 },
  },
  {
    name: "the end of the connection",
    code: "connection.lost",
    message: "The directory ended the connection.",
    says: "end",
  },
  {
    name: "a busy directory",
    code: "directory.busy",
    message: "The directory is busy.",
    says: result(0x65, 51),
    detail: { number: 51 },
  },
  {
    ...{
      name: "a referral, which is not followed",
      code: "directory.referral",
      message: "The directory refers to another server.",
    },
    says: result(0x65, 10, tlv(0xa3, octets("ldap://dc2.corp.example/CN=Kari,DC=x"))),
    detail: { number: 10, hosts: ["dc2.corp.example"] },
  },
];

export const ANSWERS: readonly Failure[] = ROWS.map(rowOf);
