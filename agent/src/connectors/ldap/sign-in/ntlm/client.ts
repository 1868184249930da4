/** The client's part of an NTLMv2 sign-in, with MIC; it owns neither socket, clock nor chance. */
import { channelBindingHash } from "../channel-binding.ts";
import { common, hasAll, requestedFlags, requiredFlags } from "./flags.ts";
import { authenticateMessage, MIC_OFFSET, negotiateMessage, parseChallenge } from "./messages.ts";
import { createRc4 } from "./rc4.ts";
import { hmacMd5, ntlmv2Response, responseKey } from "./response.ts";
import { AV, answeredTargetInfo, avValue, encodeTargetInfo, parseTargetInfo } from "./target-info.ts";

export interface NtlmLogin {
  /** `DOMAIN\user`, or the user principal name, which names its domain itself. */
  readonly login: string;
  readonly password: string;
  /** `ldap/dc1.corp.example`: a server that looks refuses an answer that was meant for another. */
  readonly servicePrincipal: string;
  /** Of TLS, `tls-server-end-point:…`. */
  readonly channelBinding?: Uint8Array;
  /** Sign and encrypt what follows; never together with TLS. */
  readonly sealed: boolean;
}

export interface NtlmSources {
  readonly randomBytes: (bytes: number) => Buffer;
  /** Milliseconds since 1970, for a server that does not tell its own time. */
  readonly nowMs: () => number;
}

export interface NtlmAnswer {
  readonly message: Buffer;
  /** Of signatures and encryption (`protection.ts`). */
  readonly sessionKey: Buffer;
}

export interface NtlmClient {
  readonly negotiate: Buffer;
  /** Undefined for what is no challenge, or one that agrees to less than is needed. */
  answer(challenge: Buffer): NtlmAnswer | undefined;
}

const NO_LM_RESPONSE = new Uint8Array(24);

export function createNtlmClient(login: NtlmLogin, { randomBytes, nowMs }: NtlmSources): NtlmClient {
  const flags = requestedFlags(login.sealed);
  const negotiate = negotiateMessage(flags);
  return {
    negotiate,
    answer(bytes) {
      const challenge = parseChallenge(bytes);
      if (challenge === undefined || !hasAll(challenge.flags, requiredFlags(login.sealed))) return undefined;
      const offered = parseTargetInfo(challenge.targetInfo);
      const time = offered && (avValue(offered, AV.timestamp) ?? fileTime(nowMs()));
      if (offered === undefined || time?.byteLength !== 8) return undefined;
      const { user, domain } = namesOf(login.login);
      const binding = login.channelBinding && channelBindingHash(login.channelBinding);
      const targetInfo = encodeTargetInfo(answeredTargetInfo(offered, login.servicePrincipal, binding));
      const key = responseKey(user, domain, login.password);
      const proof = ntlmv2Response(key, challenge.serverChallenge, randomBytes(8), time, targetInfo);
      const sessionKey = randomBytes(16);
      const message = authenticateMessage({
        flags: common(challenge.flags, flags),
        ...{ user, domain, workstation: "" },
        ...{ lmResponse: NO_LM_RESPONSE, ntResponse: proof.response },
        encryptedSessionKey: createRc4(proof.sessionBaseKey)(sessionKey),
      });
      message.set(hmacMd5(sessionKey, negotiate, bytes, message), MIC_OFFSET);
      return { message, sessionKey };
    },
  };
}

function namesOf(login: string): { readonly user: string; readonly domain: string } {
  const slash = login.indexOf("\\");
  return { domain: login.slice(0, Math.max(0, slash)), user: login.slice(slash + 1) };
}

const MS_1601_TO_1970 = 11_644_473_600_000n;

/** 100 ns since 1601, little-endian. */
function fileTime(unixMs: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE((BigInt(Math.floor(unixMs)) + MS_1601_TO_1970) * 10_000n);
  return bytes;
}
