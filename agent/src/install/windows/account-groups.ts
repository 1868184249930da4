/** Whether an account administers this machine (learn.microsoft.com, "NetUserGetLocalGroups"), before a service is to run as it. */
import { native } from "../../sign-in/native.ts";
import { library, once, succeed } from "./libraries.ts";
import { ADMINISTRATORS_SID, sidBytes } from "./sid.ts";

/** Also groups that it is in by another one. */
const INCLUDE_INDIRECT = 1;
const ALL = 0xffffffff;
const NAME_CHARACTERS = 512;

const calls = once(() => {
  const net = library("netapi32");
  return {
    groups: net.func(
      "uint32_t __stdcall NetUserGetLocalGroups(str16 server, str16 user, uint32_t level, uint32_t flags, _Out_ void **groups, uint32_t most, _Out_ uint32_t *count, _Out_ uint32_t *total)",
    ),
    free: net.func("uint32_t __stdcall NetApiBufferFree(void *buffer)"),
    name: library("advapi32").func(
      "int __stdcall LookupAccountSidW(str16 system, void *sid, _Out_ uint8_t *name, _Inout_ uint32_t *nameLength, _Out_ uint8_t *domain, _Inout_ uint32_t *domainLength, _Out_ int *use)",
    ),
  };
});

/** What Windows calls its administrators in its own language. @throws WindowsError */
function administrators(): string {
  const [name, domain] = [Buffer.alloc(2 * NAME_CHARACTERS), Buffer.alloc(2 * NAME_CHARACTERS)];
  const length = [NAME_CHARACTERS];
  const sid = sidBytes(ADMINISTRATORS_SID);
  succeed("LookupAccountSid", calls().name(null, sid, name, length, domain, [NAME_CHARACTERS], [0]));
  return name.toString("utf16le", 0, 2 * (length[0] ?? 0));
}

/** Undefined where Windows does not say: of its own accounts, and where no domain controller answers. @throws WindowsError */
export function isAdministrator(account: string): boolean | undefined {
  const { groups, free } = calls();
  const [buffer, count]: [unknown[], number[]] = [[null], [0]];
  const local = account.replace(/^\.\\/, "");
  if (groups(null, local, 0, INCLUDE_INDIRECT, buffer, ALL, count, [0]) !== 0) return undefined;
  try {
    const names: readonly string[] = (count[0] ?? 0) === 0 ? [] : native.decode(buffer[0], "str16", count[0] ?? 0);
    const ours = administrators().toLowerCase();
    return names.some((each) => each.toLowerCase() === ours);
  } finally {
    free(buffer[0]);
  }
}
