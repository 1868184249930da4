/** The event log (learn.microsoft.com, "ReportEventW"), and where it finds what a source's events say. */

import type { LogEvent } from "./events.ts";
import { EVENT_SOURCE } from "./layout.ts";
import { lastError, library, once, succeed, WindowsError } from "./libraries.ts";

const LOCAL_MACHINE = -2147483646;
const SOURCE_KEY = `SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\${EVENT_SOURCE}`;
const [EXPANDABLE_TEXT, NUMBER] = [2, 4];
/** Windows' own program for events by hand: its text for each of 1 to 1000 is the one that comes along. */
export const MESSAGE_FILE = "%SystemRoot%\\System32\\EventCreate.exe";
const ALL_TYPES = 7;

const calls = once(() => {
  const advapi = library("advapi32");
  return {
    register: advapi.func("void * __stdcall RegisterEventSourceW(str16 server, str16 source)"),
    report: advapi.func(
      "int __stdcall ReportEventW(void *log, uint16_t type, uint16_t category, uint32_t id, void *sid, uint16_t count, uint32_t size, str16 *texts, void *data)",
    ),
    deregister: advapi.func("int __stdcall DeregisterEventSource(void *log)"),
    set: advapi.func(
      "int32_t __stdcall RegSetKeyValueW(intptr_t root, str16 key, str16 name, uint32_t type, void *data, uint32_t bytes)",
    ),
    remove: advapi.func("int32_t __stdcall RegDeleteTreeW(intptr_t root, str16 key)"),
  };
});

/** @throws WindowsError */
export function reportEvent({ number, type, text }: LogEvent): void {
  const { register, report, deregister } = calls();
  const log = register(null, EVENT_SOURCE);
  if (log === null) throw new WindowsError("RegisterEventSource", lastError());
  try {
    succeed("ReportEvent", report(log, type, 0, number, null, 1, 0, [text], null));
  } finally {
    deregister(log);
  }
}

/** Tells the event log where our texts are; repeating it changes nothing. @throws WindowsError */
export function registerSource(): void {
  const file = Buffer.from(`${MESSAGE_FILE}\0`, "utf16le");
  const types = Buffer.alloc(4);
  types.writeUInt32LE(ALL_TYPES);
  setValue("EventMessageFile", EXPANDABLE_TEXT, file);
  setValue("TypesSupported", NUMBER, types);
}

/** @throws WindowsError */
export function unregisterSource(): void {
  const failure: number = calls().remove(LOCAL_MACHINE, SOURCE_KEY);
  // Nothing there is what was wanted.
  if (failure !== 0 && failure !== 2) throw new WindowsError("RegDeleteTree", failure);
}

function setValue(name: string, type: number | undefined, data: Buffer): void {
  const failure: number = calls().set(LOCAL_MACHINE, SOURCE_KEY, name, type, data, data.length);
  if (failure !== 0) throw new WindowsError("RegSetKeyValue", failure);
}
