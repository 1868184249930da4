/** This process as a service (learn.microsoft.com, "StartServiceCtrlDispatcherW"): what the control manager wants of it, and is told. */
import { native } from "../../sign-in/native.ts";
import type { Status } from "./host.ts";
import { ERROR, lastError, library, once, succeed, WindowsError } from "./libraries.ts";

const OWN_PROCESS = 0x10;
const STATES = { stopped: 1, startPending: 2, stopPending: 3, running: 4 } as const;
const CONTROL = { stop: 1, interrogate: 4, shutdown: 5, preshutdown: 15 } as const;
/** SERVICE_ACCEPT_STOP, and SERVICE_ACCEPT_PRESHUTDOWN, which leaves longer than a shutdown does. */
const ACCEPTED = 0x1 | 0x100;
const [NO_ERROR, NOT_IMPLEMENTED] = [0, 120];

/** SERVICE_STATUS, 28 bytes. While something is pending it accepts nothing: a second stop changes nothing. */
export function statusBytes({ state, checkPoint, waitHintMs, exitCode }: Status): Buffer {
  const accepted = state === "running" ? ACCEPTED : 0;
  const code = exitCode === 0 ? NO_ERROR : ERROR.serviceSpecific;
  const bytes = Buffer.alloc(28);
  [OWN_PROCESS, STATES[state], accepted, code, exitCode, checkPoint, waitHintMs].forEach((value, index) => {
    bytes.writeUInt32LE(value, 4 * index);
  });
  return bytes;
}

/** What a control code asks for; undefined where it is none of ours. */
export const askedBy = (control: number): "stop" | "nothing" | undefined =>
  control === CONTROL.stop || control === CONTROL.preshutdown || control === CONTROL.shutdown
    ? "stop"
    : control === CONTROL.interrogate
      ? "nothing"
      : undefined;

export interface ServiceControl {
  report(status: Status): void;
}

const calls = once(() => {
  const main = native.proto("void __stdcall SallyportServiceMain(uint32_t count, void *arguments)");
  const handler = native.proto(
    "uint32_t __stdcall SallyportServiceHandler(uint32_t control, uint32_t type, void *data, void *context)",
  );
  native.struct("SERVICE_TABLE_ENTRY", { name: "str16", main: native.pointer(main) });
  const advapi = library("advapi32");
  return {
    ...{ main: native.pointer(main), handler: native.pointer(handler) },
    dispatch: advapi.func("int __stdcall StartServiceCtrlDispatcherW(SERVICE_TABLE_ENTRY *table)"),
    register: advapi.func(
      "void * __stdcall RegisterServiceCtrlHandlerExW(str16 name, SallyportServiceHandler *handler, void *context)",
    ),
    set: advapi.func("int __stdcall SetServiceStatus(void *service, void *status)"),
  };
});

/**
 * Makes this process the service `name`, until `stopped` was reported.
 * @param begun called once the control manager has started us
 * @param asked to stop, as often as somebody asks
 * @throws WindowsError where the control manager did not start this process
 */
export async function serve(name: string, begun: (control: ServiceControl) => void, asked: () => void): Promise<void> {
  const { main, handler, dispatch, register, set } = calls();
  // Both are called in threads of Windows' that wait until this one has answered.
  const onControl = native.register((control: number) => {
    const what = askedBy(control);
    if (what === "stop") setImmediate(asked);
    return what === undefined ? NOT_IMPLEMENTED : NO_ERROR;
  }, handler);
  const onStart = native.register(() => {
    const service = register(name, onControl, null);
    if (service === null) throw new WindowsError("RegisterServiceCtrlHandlerEx", lastError());
    const report = (status: Status): void => succeed("SetServiceStatus", set(service, statusBytes(status)));
    setImmediate(() => begun({ report }));
  }, main);
  const table = [
    { name, main: onStart },
    { name: null, main: null },
  ];
  await new Promise<void>((resolve, reject) => {
    dispatch.async(table, (error: Error | null, ok: number) => {
      if (error !== null) reject(error);
      // The thread's last error is gone by now; there is one reason.
      else if (ok === 0) reject(new WindowsError("StartServiceCtrlDispatcher", ERROR.notInService));
      else resolve();
    });
  });
}
