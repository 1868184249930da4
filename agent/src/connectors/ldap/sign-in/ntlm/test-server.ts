/** A server's side of NTLMv2, for tests: it knows one password and looks at everything that a hardened domain controller does. */
import { randomBytes } from "node:crypto";
import { FLAG } from "./flags.ts";
import { MIC_BYTES, MIC_OFFSET } from "./messages.ts";
import { createRc4 } from "./rc4.ts";
import { hmacMd5, responseKey } from "./response.ts";
import { AV, avValue, encodeTargetInfo, HAS_MIC, parseTargetInfo } from "./target-info.ts";

export interface NtlmAccount {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
}

export interface NtlmServer {
  /** Of the client's first message. */
  challenge(negotiate: Buffer): Buffer;
  /** The session key, or why it is refused. */
  accept(authenticate: Buffer): { readonly sessionKey: Buffer; readonly flags: number } | { readonly refused: string };
}

export interface NtlmServerOptions {
  /** MD5 of the binding that the client has to name; without it none is looked at. */
  readonly bindingHash?: Buffer;
  /** Flags that this server does not agree to. */
  readonly without?: number;
  /** Without a time of its own, as old servers are. */
  readonly timeless?: boolean;
}

const utf16 = (text: string): Buffer => Buffer.from(text, "utf16le");

export function createNtlmServer(account: NtlmAccount, options: NtlmServerOptions = {}): NtlmServer {
  const serverChallenge = randomBytes(8);
  let negotiated = Buffer.alloc(0);
  let challenge = Buffer.alloc(0);
  const field = (message: Buffer, at: number): Buffer => {
    const start = message.readUInt32LE(at + 4);
    return message.subarray(start, start + message.readUInt16LE(at));
  };
  return {
    challenge(negotiate) {
      negotiated = Buffer.from(negotiate);
      const pairs = [
        { id: 2, value: utf16(account.domain) },
        { id: 1, value: utf16("DC1") },
        ...(options.timeless === true ? [] : [{ id: AV.timestamp, value: randomBytes(8) }]),
      ];
      const targetInfo = encodeTargetInfo(pairs);
      const header = Buffer.alloc(56);
      header.write("NTLMSSP\0", "latin1");
      header.writeUInt32LE(2, 8);
      const flags = (negotiate.readUInt32LE(12) | FLAG.targetInfo) & ~(options.without ?? 0);
      header.writeUInt32LE(flags >>> 0, 20);
      header.set(serverChallenge, 24);
      header.writeUInt16LE(targetInfo.length, 40);
      header.writeUInt16LE(targetInfo.length, 42);
      header.writeUInt32LE(header.length, 44);
      challenge = Buffer.concat([header, targetInfo]);
      return challenge;
    },
    accept(authenticate) {
      const response = field(authenticate, 20);
      const [proof, blob] = [response.subarray(0, 16), response.subarray(16)];
      const key = responseKey(
        field(authenticate, 36).toString("utf16le"),
        field(authenticate, 28).toString("utf16le"),
        account.password,
      );
      if (!hmacMd5(key, serverChallenge, blob).equals(proof)) return { refused: "password" };
      const pairs = parseTargetInfo(blob.subarray(28, -4)) ?? [];
      if ((avValue(pairs, AV.flags)?.readUInt32LE() ?? 0) !== HAS_MIC) return { refused: "no MIC" };
      const binding = avValue(pairs, AV.channelBindings);
      if (options.bindingHash !== undefined && binding?.equals(options.bindingHash) !== true)
        return { refused: "binding" };
      const sessionKey = createRc4(hmacMd5(key, proof))(field(authenticate, 52));
      const mic = Buffer.from(authenticate.subarray(MIC_OFFSET, MIC_OFFSET + MIC_BYTES));
      const blank = Buffer.from(authenticate);
      blank.fill(0, MIC_OFFSET, MIC_OFFSET + MIC_BYTES);
      if (!hmacMd5(sessionKey, negotiated, challenge, blank).equals(mic)) return { refused: "MIC" };
      return { sessionKey, flags: authenticate.readUInt32LE(60) };
    },
  };
}
