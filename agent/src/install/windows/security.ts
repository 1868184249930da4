/** Access lists of files, read and set by Windows' own calls (learn.microsoft.com, "SetSecurityInfo"). */
import { native } from "../../sign-in/native.ts";
import { ERROR, lastError, library, once, succeed, WindowsError } from "./libraries.ts";
import { ADMINISTRATORS_SID, SYSTEM_SID, sidBytes } from "./sid.ts";

const FILE_OBJECT = 1;
const [OWNER, DACL, PROTECTED] = [0x1, 0x4, 0x80000000];
const REVISION = 1;
/** WRITE_OWNER, WRITE_DAC, READ_CONTROL, FILE_READ_ATTRIBUTES. */
const TO_CHANGE = 0x80000 | 0x40000 | 0x20000 | 0x80;
const SHARED = 0x7;
const OPEN_EXISTING = 3;
/** Also folders, and of a link or a junction the thing itself. */
const BACKUP_SEMANTICS = 0x02000000;
const OPEN_REPARSE_POINT = 0x00200000;
const INVALID_HANDLE = 0xffffffffffffffffn;
/** Of BY_HANDLE_FILE_INFORMATION. */
const INFORMATION = { bytes: 52, attributesAt: 0, linksAt: 40 } as const;
const [DIRECTORY, REPARSE_POINT] = [0x10, 0x400];

/** SECURITY_ATTRIBUTES on 64 bits. */
const ATTRIBUTES_BYTES = 24;

const calls = once(() => {
  native.struct("SECURITY_ATTRIBUTES", { length: "uint32_t", descriptor: "void *", inherit: "int" });
  const [advapi, kernel] = [library("advapi32"), library("kernel32")];
  return {
    fromText: advapi.func(
      "int __stdcall ConvertStringSecurityDescriptorToSecurityDescriptorW(str16 text, uint32_t revision, _Out_ void **descriptor, void *size)",
    ),
    toText: advapi.func(
      "int __stdcall ConvertSecurityDescriptorToStringSecurityDescriptorW(void *descriptor, uint32_t revision, uint32_t what, _Out_ void **text, _Out_ uint32_t *length)",
    ),
    dacl: advapi.func(
      "int __stdcall GetSecurityDescriptorDacl(void *descriptor, _Out_ int *present, _Out_ void **dacl, _Out_ int *defaulted)",
    ),
    owner: advapi.func(
      "int __stdcall GetSecurityDescriptorOwner(void *descriptor, _Out_ void **owner, _Out_ int *defaulted)",
    ),
    read: advapi.func(
      "uint32_t __stdcall GetNamedSecurityInfoW(str16 path, int type, uint32_t what, void *owner, void *group, void *dacl, void *sacl, _Out_ void **descriptor)",
    ),
    set: advapi.func(
      "uint32_t __stdcall SetSecurityInfo(uintptr_t handle, int type, uint32_t what, void *owner, void *group, void *dacl, void *sacl)",
    ),
    open: kernel.func(
      "uintptr_t __stdcall CreateFileW(str16 path, uint32_t access, uint32_t share, void *security, uint32_t how, uint32_t flags, void *like)",
    ),
    makeFolder: kernel.func("int __stdcall CreateDirectoryW(str16 path, SECURITY_ATTRIBUTES *security)"),
    isMember: advapi.func("int __stdcall CheckTokenMembership(void *token, void *sid, _Out_ int *member)"),
    look: kernel.func("int __stdcall GetFileInformationByHandle(uintptr_t handle, _Out_ uint8_t *information)"),
    close: kernel.func("int __stdcall CloseHandle(uintptr_t handle)"),
    free: kernel.func("void * __stdcall LocalFree(void *memory)"),
  };
});

/** Owner and access list of a file or folder, as SDDL. @throws WindowsError */
export function readSddl(path: string): string {
  const { read, toText, free } = calls();
  const descriptor: unknown[] = [null];
  const failure: number = read(path, FILE_OBJECT, OWNER | DACL, null, null, null, null, descriptor);
  if (failure !== 0) throw new WindowsError(`GetNamedSecurityInfo of ${path}`, failure);
  const [text, length] = [[null] as unknown[], [0]];
  try {
    succeed("ConvertSecurityDescriptorToString", toText(descriptor[0], REVISION, OWNER | DACL, text, length));
  } finally {
    free(descriptor[0]);
  }
  const found: string = native.decode(text[0], "char16_t", length[0] ?? 0);
  free(text[0]);
  return found.replace(/\0+$/, "");
}

/**
 * Gives a file or folder its owner and its list, in the place of what was inherited. It is the file of that name itself: a link or
 * junction, or a file with a second name, may be somebody else's and is refused. @throws WindowsError, Error
 */
export function writeSddl(path: string, sddl: string): void {
  const { dacl, owner, set } = calls();
  withDescriptor(sddl, (descriptor) => {
    const [list, whose]: unknown[][] = [[null], [null]];
    succeed("GetSecurityDescriptorDacl", dacl(descriptor, [0], list, [0]));
    succeed("GetSecurityDescriptorOwner", owner(descriptor, whose, [0]));
    withHandle(path, (handle) => {
      const what = (OWNER | DACL | PROTECTED) >>> 0;
      const failure: number = set(handle, FILE_OBJECT, what, whose?.[0], null, list?.[0], null);
      if (failure !== 0) throw new WindowsError(`SetSecurityInfo of ${path}`, failure);
    });
  });
}

export function withDescriptor<T>(sddl: string, act: (descriptor: unknown) => T): T {
  const { fromText, free } = calls();
  const descriptor: unknown[] = [null];
  succeed("ConvertStringSecurityDescriptor", fromText(sddl, REVISION, descriptor, null));
  try {
    return act(descriptor[0]);
  } finally {
    free(descriptor[0]);
  }
}

/**
 * Makes a folder that has owner and list from its first moment, so that nobody is in it before; false where something of that name is
 * there already. @throws WindowsError
 */
export const makeFolder = (path: string, sddl: string): boolean =>
  withDescriptor(sddl, (descriptor) => {
    if (calls().makeFolder(path, { length: ATTRIBUTES_BYTES, descriptor, inherit: 0 }) !== 0) return true;
    const failure = lastError();
    if (failure === ERROR.alreadyExists) return false;
    throw new WindowsError(`CreateDirectory of ${path}`, failure);
  });

/** Whether this process may do what administrators, or the system, may. @throws WindowsError */
export const isOwnTokenAdministrators = (): boolean =>
  [ADMINISTRATORS_SID, SYSTEM_SID].some((sid) => {
    const member = [0];
    succeed("CheckTokenMembership", calls().isMember(null, sidBytes(sid), member));
    return member[0] !== 0;
  });

function withHandle(path: string, act: (handle: bigint | number) => void): void {
  const { open, look, close } = calls();
  const flags = BACKUP_SEMANTICS | OPEN_REPARSE_POINT;
  const handle: bigint | number = open(path, TO_CHANGE, SHARED, null, OPEN_EXISTING, flags, null);
  if (BigInt(handle) === INVALID_HANDLE) throw new WindowsError(`CreateFile of ${path}`, lastError());
  try {
    const information = Buffer.alloc(INFORMATION.bytes);
    succeed("GetFileInformationByHandle", look(handle, information));
    const attributes = information.readUInt32LE(INFORMATION.attributesAt);
    if ((attributes & REPARSE_POINT) !== 0) throw new Error(`${path} is a link: remove it`);
    if ((attributes & DIRECTORY) === 0 && information.readUInt32LE(INFORMATION.linksAt) > 1)
      throw new Error(`${path} has another name somewhere: remove it`);
    act(handle);
  } finally {
    close(handle);
  }
}

const accounts = once(() =>
  library("advapi32").func(
    "int __stdcall LookupAccountNameW(str16 system, str16 name, _Out_ uint8_t *sid, _Inout_ uint32_t *sidBytes, _Out_ uint8_t *domain, _Inout_ uint32_t *domainLength, _Out_ int *use)",
  ),
);
/** SECURITY_MAX_SID_SIZE, and more than a domain's name takes. */
const [SID_BYTES, DOMAIN_CHARACTERS] = [68, 512];

/** An account's SID in binary; undefined where there is no such account. @throws WindowsError */
export function lookUpSid(name: string): Buffer | undefined {
  const sid = Buffer.alloc(SID_BYTES);
  const domain = Buffer.alloc(2 * DOMAIN_CHARACTERS);
  const ok: number = accounts()(null, name, sid, [SID_BYTES], domain, [DOMAIN_CHARACTERS], [0]);
  if (ok !== 0) return sid;
  const failure = lastError();
  if (failure === ERROR.noSuchAccount) return undefined;
  throw new WindowsError(`LookupAccountName of ${name}`, failure);
}
