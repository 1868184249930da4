/** Whether Windows Error Reporting keeps dumps of what crashes here (learn.microsoft.com, "Collecting User-Mode Dumps"). */
import { ERROR, library, once, WindowsError } from "./libraries.ts";

const LOCAL_MACHINE = -2147483646;
const KEY = "SOFTWARE\\Microsoft\\Windows\\Windows Error Reporting\\LocalDumps";
/** KEY_QUERY_VALUE, in the view of 64 bits. */
const LOOK = 0x1 | 0x100;

const calls = once(() => ({
  open: library("advapi32").func(
    "int32_t __stdcall RegOpenKeyExW(intptr_t root, str16 key, uint32_t options, uint32_t access, _Out_ void **opened)",
  ),
  close: library("advapi32").func("int32_t __stdcall RegCloseKey(void *key)"),
}));

/** By the key that has them kept: of all programs, or of some. @throws WindowsError */
export function keepsDumps(): boolean {
  const opened: unknown[] = [null];
  const failure: number = calls().open(LOCAL_MACHINE, KEY, 0, LOOK, opened);
  if (failure === ERROR.fileNotFound) return false;
  if (failure !== 0) throw new WindowsError("RegOpenKeyEx of LocalDumps", failure);
  calls().close(opened[0]);
  return true;
}
