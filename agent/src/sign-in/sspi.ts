/**
 * Kerberos by Windows' own SSPI (secur32) with a login that was given. The package is `Kerberos`, not `Negotiate`: that one
 * would fall back to NTLM by itself. Written from the documentation (learn.microsoft.com, "InitializeSecurityContextW",
 * "SEC_CHANNEL_BINDINGS"); never run where this repository's tests run, docs/connectors/active-directory.md says so.
 */
import { failureOfSspi } from "./failure.ts";
import type { Kerberos, KerberosLogin, Step } from "./mechanism.ts";
import { native } from "./native.ts";

const OK = 0;
const CONTINUE_NEEDED = 0x00090312;
const OUTBOUND = 2;
const UNICODE = 2;
const NATIVE_DREP = 0x10;
/** ISC_REQ_REPLAY_DETECT, SEQUENCE_DETECT, MUTUAL_AUTH, ALLOCATE_MEMORY: neither signatures nor encryption, inside TLS. */
const REQUIRED = 0x4 | 0x8 | 0x2 | 0x100;
const BUFFER = { token: 2, channelBindings: 14 } as const;
/** Bytes of SEC_CHANNEL_BINDINGS before the application data. */
const BINDINGS_HEADER_BYTES = 32;

/** Eight 32-bit words: types, lengths and offsets of two addresses that are not used, then of the data. */
export function channelBindings(applicationData: Buffer): Buffer {
  const header = Buffer.alloc(BINDINGS_HEADER_BYTES);
  header.writeUInt32LE(applicationData.length, 24);
  header.writeUInt32LE(BINDINGS_HEADER_BYTES, 28);
  return Buffer.concat([header, applicationData]);
}

/** `DOMAIN\user` in its parts; a user principal name whole, without a domain. */
export function identityOf(login: string): { readonly user: string; readonly domain: string } {
  const slash = login.indexOf("\\");
  return { domain: login.slice(0, Math.max(0, slash)), user: login.slice(slash + 1) };
}

function load() {
  native.struct("SecHandle", { lower: "uintptr_t", upper: "uintptr_t" });
  native.struct("SecBuffer", { cbBuffer: "uint32_t", BufferType: "uint32_t", pvBuffer: "void *" });
  native.struct("SecBufferDesc", { ulVersion: "uint32_t", cBuffers: "uint32_t", pBuffers: "SecBuffer *" });
  native.struct("SEC_WINNT_AUTH_IDENTITY_W", {
    ...{ User: "str16", UserLength: "uint32_t", Domain: "str16", DomainLength: "uint32_t" },
    ...{ Password: "str16", PasswordLength: "uint32_t", Flags: "uint32_t" },
  });
  const library = native.load("secur32.dll");
  return {
    acquire: library.func(
      "int32_t __stdcall AcquireCredentialsHandleW(str16 principal, str16 package, uint32_t use, void *logonId, SEC_WINNT_AUTH_IDENTITY_W *identity, void *getKey, void *argument, _Out_ SecHandle *credential, _Out_ int64_t *expiry)",
    ),
    init: library.func(
      "int32_t __stdcall InitializeSecurityContextW(SecHandle *credential, SecHandle *context, str16 target, uint32_t required, uint32_t reserved1, uint32_t dataRep, SecBufferDesc *input, uint32_t reserved2, _Out_ SecHandle *newContext, _Inout_ SecBufferDesc *output, _Out_ uint32_t *attributes, _Out_ int64_t *expiry)",
    ),
  };
}

/** @throws Error where this is no Windows */
export function createSspi({ login, password, service, channelBinding }: KerberosLogin): Kerberos {
  const sspi = load();
  const { user, domain } = identityOf(login);
  const bindings = channelBinding && channelBindings(channelBinding);
  const credential = {};
  let context: object | null = null;
  const begin = (): Step | undefined => {
    const identity = {
      ...{ User: user, UserLength: user.length, Domain: domain, DomainLength: domain.length },
      ...{ Password: password, PasswordLength: password.length, Flags: UNICODE },
    };
    const status: number = sspi.acquire(null, "Kerberos", OUTBOUND, null, identity, null, null, credential, [0]);
    return status === OK ? undefined : { why: failureOfSspi(status), number: status };
  };
  let hasBegun = false;
  return {
    step(answer) {
      const failure = hasBegun ? undefined : begin();
      hasBegun = true;
      if (failure !== undefined) return failure;
      const buffers = [
        ...(answer === undefined ? [] : [{ cbBuffer: answer.length, BufferType: BUFFER.token, pvBuffer: answer }]),
        ...(bindings === undefined
          ? []
          : [{ cbBuffer: bindings.length, BufferType: BUFFER.channelBindings, pvBuffer: bindings }]),
      ];
      const input = { ulVersion: 0, cBuffers: buffers.length, pBuffers: buffers };
      const output = {
        ulVersion: 0,
        cBuffers: 1,
        pBuffers: [{ cbBuffer: 0, BufferType: BUFFER.token, pvBuffer: null }],
      };
      const next = {};
      const status: number = sspi.init(
        ...[credential, context, service, REQUIRED, 0, NATIVE_DREP, buffers.length === 0 ? null : input, 0],
        ...[next, output, [0], [0]],
      );
      context = next;
      if (status !== OK && status !== CONTINUE_NEEDED) return { why: failureOfSspi(status), number: status };
      const given = output.pBuffers[0]!;
      const token =
        given.cbBuffer === 0
          ? Buffer.alloc(0)
          : Buffer.from(new Uint8Array(native.view(given.pvBuffer, given.cbBuffer)));
      return { token, isDone: status === OK };
    },
  };
}
