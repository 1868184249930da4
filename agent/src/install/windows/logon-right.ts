/** The right to sign in as a service, which Windows' own window gives to the account that it is told, and the call beneath does not. */
import { native } from "../../sign-in/native.ts";
import { library, once, WindowsError } from "./libraries.ts";

const RIGHT = "SeServiceLogonRight";
/** POLICY_LOOKUP_NAMES, POLICY_CREATE_ACCOUNT. */
const ACCESS = 0x800 | 0x10;
/** LSA_OBJECT_ATTRIBUTES, all of it unused. */
const NO_ATTRIBUTES_BYTES = 48;

const calls = once(() => {
  native.struct("LSA_UNICODE_STRING", { Length: "uint16_t", MaximumLength: "uint16_t", Buffer: "str16" });
  const advapi = library("advapi32");
  return {
    open: advapi.func(
      "int32_t __stdcall LsaOpenPolicy(void *system, void *attributes, uint32_t access, _Out_ void **policy)",
    ),
    add: advapi.func(
      "int32_t __stdcall LsaAddAccountRights(void *policy, void *sid, LSA_UNICODE_STRING *rights, uint32_t count)",
    ),
    close: advapi.func("int32_t __stdcall LsaClose(void *policy)"),
    number: advapi.func("uint32_t __stdcall LsaNtStatusToWinError(int32_t status)"),
  };
});

/** @param sid in binary @throws WindowsError */
export function allowServiceLogon(sid: Uint8Array): void {
  const { open, add, close, number } = calls();
  const check = (call: string, status: number): void => {
    if (status !== 0) throw new WindowsError(call, number(status));
  };
  const policy: unknown[] = [null];
  check("LsaOpenPolicy", open(null, Buffer.alloc(NO_ATTRIBUTES_BYTES), ACCESS, policy));
  try {
    const right = { Length: RIGHT.length * 2, MaximumLength: RIGHT.length * 2 + 2, Buffer: RIGHT };
    check("LsaAddAccountRights", add(policy[0], sid, right, 1));
  } finally {
    close(policy[0]);
  }
}
