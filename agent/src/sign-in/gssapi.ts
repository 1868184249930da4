/**
 * Kerberos by MIT's GSSAPI (libgssapi_krb5) with a login that was given: no kinit, no keytab, no cache on the disk
 * [RFC 2744]. What the library allocates is never given back: this process lives for one sign-in.
 */
import { failureOfKrb5 } from "./failure.ts";
import type { Kerberos, KerberosLogin, Step } from "./mechanism.ts";
import { native } from "./native.ts";
import { principalOf } from "./principal.ts";

const LIBRARY = "libgssapi_krb5.so.2";

const OID = {
  kerberos: "2a864886f712010202",
  /** A principal as krb5 writes it: no name service is asked [RFC 1964, 2.1.1]. */
  principalName: "2a864886f71201020201",
  enterpriseName: "2a864886f71201020206",
  /** Lets a context do without signatures and encryption, which a domain controller refuses inside TLS. */
  noProtection: "2a85702b0d1d",
} as const;

const COMPLETE = 0;
const CONTINUE_NEEDED = 1;
const INITIATE = 1;
/** Mutual, replay, sequence; and the word that a binding was meant (GSS_C_CHANNEL_BOUND_FLAG), so that its lack is no chance. */
const FLAGS = 2 | 4 | 8;
const CHANNEL_BOUND = 2048;

native.struct("gss_buffer_desc", { length: "size_t", value: "void *" });
native.struct("gss_OID_desc", { length: "uint32_t", elements: "void *" });
native.struct("gss_OID_set_desc", { count: "size_t", elements: "gss_OID_desc *" });
native.struct("gss_channel_bindings_struct", {
  ...{ initiator_addrtype: "uint32_t", initiator_address: "gss_buffer_desc" },
  ...{ acceptor_addrtype: "uint32_t", acceptor_address: "gss_buffer_desc" },
  application_data: "gss_buffer_desc",
});

const buffer = (bytes: Buffer) => ({ length: bytes.length, value: bytes.length === 0 ? null : bytes });
const oid = (hex: string) => {
  const elements = Buffer.from(hex, "hex");
  return { length: elements.length, elements };
};

function load() {
  const library = native.load(LIBRARY);
  return {
    importName: library.func(
      "uint32_t gss_import_name(_Out_ uint32_t *minor, gss_buffer_desc *name, gss_OID_desc *type, _Out_ void **out)",
    ),
    acquire: library.func(
      "uint32_t gss_acquire_cred_with_password(_Out_ uint32_t *minor, void *name, gss_buffer_desc *password, uint32_t time, gss_OID_set_desc *mechs, int usage, _Out_ void **cred, void *actual, void *left)",
    ),
    setOption: library.func(
      "uint32_t gss_set_cred_option(_Out_ uint32_t *minor, _Inout_ void **cred, gss_OID_desc *option, gss_buffer_desc *value)",
    ),
    init: library.func(
      "uint32_t gss_init_sec_context(_Out_ uint32_t *minor, void *cred, _Inout_ void **context, void *target, gss_OID_desc *mech, uint32_t flags, uint32_t time, gss_channel_bindings_struct *bindings, gss_buffer_desc *input, void *actual, _Out_ gss_buffer_desc *output, _Out_ uint32_t *given, void *left)",
    ),
  };
}

/** @throws Error without the library */
export function createGssapi({ login, password, realm, service, channelBinding }: KerberosLogin): Kerberos {
  const gss = load();
  const mechanism = oid(OID.kerberos);
  const bindings = channelBinding && {
    ...{ initiator_addrtype: 0, initiator_address: buffer(Buffer.alloc(0)) },
    ...{ acceptor_addrtype: 0, acceptor_address: buffer(Buffer.alloc(0)) },
    application_data: buffer(channelBinding),
  };
  const context: unknown[] = [null];
  let held: { readonly credential: unknown; readonly target: unknown } | undefined;

  const begin = (): Step | undefined => {
    const principal = principalOf(login, realm);
    if (principal === undefined) return { why: "refused", number: 0 };
    const minor = [0];
    const [name, target, credential]: [unknown[], unknown[], unknown[]] = [[null], [null], [null]];
    const type = oid(principal.isEnterprise ? OID.enterpriseName : OID.principalName);
    const failed = (major: number): boolean => major >>> 16 !== 0;
    if (
      failed(gss.importName(minor, buffer(Buffer.from(principal.name)), type, name)) ||
      failed(gss.importName(minor, buffer(Buffer.from(`${service}@${realm}`)), oid(OID.principalName), target)) ||
      failed(acquire(minor, name[0], credential)) ||
      failed(gss.setOption(minor, credential, oid(OID.noProtection), buffer(Buffer.alloc(0))))
    ) {
      return { why: failureOfKrb5(minor[0]!), number: minor[0]! | 0 };
    }
    held = { credential: credential[0], target: target[0] };
    return undefined;
  };
  const acquire = (minor: number[], name: unknown, credential: unknown[]): number =>
    gss.acquire(
      minor,
      name,
      buffer(Buffer.from(password)),
      0,
      { count: 1, elements: [mechanism] },
      INITIATE,
      credential,
      null,
      null,
    );

  return {
    step(answer) {
      if (held === undefined) {
        const failure = begin();
        if (failure !== undefined) return failure;
      }
      const [minor, output] = [[0], {} as { length?: bigint | number; value?: unknown }];
      const flags = bindings === undefined ? FLAGS : FLAGS | CHANNEL_BOUND;
      const input = answer === undefined ? null : buffer(answer);
      const major: number = gss.init(
        ...[minor, held?.credential, context, held?.target, mechanism, flags, 0],
        ...[bindings ?? null, input, null, output, [0], null],
      );
      if (major !== COMPLETE && major !== CONTINUE_NEEDED) {
        return { why: failureOfKrb5(minor[0]!), number: minor[0]! | 0 };
      }
      const length = Number(output.length ?? 0);
      const token = length === 0 ? Buffer.alloc(0) : Buffer.from(new Uint8Array(native.view(output.value, length)));
      return { token, isDone: major === COMPLETE };
    },
  };
}
