/** The service control manager, asked by an administrator (learn.microsoft.com, "Service Functions"): made, changed, started, looked at, gone. */
import { native } from "../../sign-in/native.ts";
import { ERROR, lastError, library, once, succeed, WindowsError } from "./libraries.ts";

const MANAGER_ALL = 0xf003f;
const SERVICE_ALL = 0xf01ff;
/** QUERY_CONFIG, QUERY_STATUS, INTERROGATE, READ_CONTROL: what everybody may. */
const LOOK = { manager: 0x1, service: 0x1 | 0x4 | 0x80 | 0x20000 } as const;
const [OWN_PROCESS, NORMAL_ERROR] = [0x10, 1];
const [AUTOMATIC, ON_DEMAND] = [2, 3];
const startOf = (withMachine: boolean): number => (withMachine ? AUTOMATIC : ON_DEMAND);
/** SERVICE_START alone: all that the agent has of its updater. */
const TO_START = 0x10;
const NO_CHANGE = 0xffffffff;
const [CONTROL_STOP, DELETE_LATER] = [1, ERROR.deletePending];
const INFO = { description: 1, failureActions: 2, delayed: 3, failureFlag: 4, sid: 5, privileges: 6, preshutdown: 7 };
const STATUS_BYTES = 36;
const RESTART = 1;

/** Of a service, as its owner may look at it. */
export interface Configuration {
  readonly command: string;
  readonly account: string;
  readonly startsWithMachine: boolean;
}

/** As QueryServiceStatusEx numbers them. */
const STATES = [
  "?",
  "stopped",
  "startPending",
  "stopPending",
  "running",
  "continuePending",
  "pausePending",
  "paused",
] as const;

export interface State {
  readonly state: (typeof STATES)[number];
  readonly pid: number | null;
  /** Of its last end; a service's own where it gave one. */
  readonly exitCode: number;
}

/** SERVICE_STATUS_PROCESS, 36 bytes. */
export function parseStatus(bytes: Buffer): State {
  const [, state = 0, , exitCode = 0, ownCode = 0, , , pid = 0] = Array.from({ length: 9 }, (_, at) =>
    bytes.readUInt32LE(4 * at),
  );
  return {
    state: STATES[state] ?? "?",
    pid: pid === 0 ? null : pid,
    exitCode: exitCode === ERROR.serviceSpecific ? ownCode : exitCode,
  };
}

export interface Wanted {
  readonly name: string;
  readonly displayName: string;
  readonly description: string;
  readonly command: string;
  /** Undefined leaves it as it is; the password is null where Windows knows it. */
  readonly logon: { readonly account: string; readonly password: string | null } | undefined;
  /** Milliseconds until the next start by the control manager itself, after the first, second, and each further end. */
  readonly restartAfterMs: readonly number[];
  /** What the account keeps of its rights on the machine. */
  readonly privileges: readonly string[];
  /** How long the machine's end waits for it; undefined as for any other. */
  readonly preshutdownMs: number | undefined;
  /** After the others; or only when somebody asks. */
  readonly startsWithMachine: boolean;
}

const calls = once(() => {
  native.struct("SALLYPORT_TEXT", { text: "str16" });
  native.struct("SC_ACTION", { type: "int", delay: "uint32_t" });
  native.struct("SERVICE_FAILURE_ACTIONS", {
    ...{ resetSeconds: "uint32_t", message: "str16", command: "str16", count: "uint32_t", actions: "SC_ACTION *" },
  });
  native.struct("QUERY_SERVICE_CONFIG", {
    ...{ type: "uint32_t", start: "uint32_t", errors: "uint32_t", command: "str16", group: "str16", tag: "uint32_t" },
    ...{ dependencies: "void *", account: "str16", displayName: "str16" },
  });
  const f = (signature: string) => library("advapi32").func(signature);
  const details =
    "uint32_t type, uint32_t start, uint32_t errors, str16 command, str16 group, void *tag, void *dependencies, str16 account, str16 password";
  return {
    openManager: f("void * __stdcall OpenSCManagerW(str16 machine, str16 database, uint32_t access)"),
    open: f("void * __stdcall OpenServiceW(void *manager, str16 name, uint32_t access)"),
    create: f(`void * __stdcall CreateServiceW(void *manager, str16 name, str16 display, uint32_t access, ${details})`),
    change: f(`int __stdcall ChangeServiceConfigW(void *service, ${details}, str16 display)`),
    text: f("int __stdcall ChangeServiceConfig2W(void *service, uint32_t level, SALLYPORT_TEXT *information)"),
    failures: library("advapi32").func("__stdcall", "ChangeServiceConfig2W", "int", [
      "void *",
      "uint32_t",
      "SERVICE_FAILURE_ACTIONS *",
    ]),
    bytes: library("advapi32").func("__stdcall", "ChangeServiceConfig2W", "int", ["void *", "uint32_t", "void *"]),
    start: f("int __stdcall StartServiceW(void *service, uint32_t count, void *arguments)"),
    control: f("int __stdcall ControlService(void *service, uint32_t control, void *status)"),
    status: f(
      "int __stdcall QueryServiceStatusEx(void *service, int level, _Out_ uint8_t *status, uint32_t bytes, _Out_ uint32_t *needed)",
    ),
    config: f(
      "int __stdcall QueryServiceConfigW(void *service, _Out_ uint8_t *config, uint32_t bytes, _Out_ uint32_t *needed)",
    ),
    remove: f("int __stdcall DeleteService(void *service)"),
    close: f("int __stdcall CloseServiceHandle(void *handle)"),
  };
});

type Handle = unknown;

function withManager<T>(access: number, act: (manager: Handle) => T): T {
  const manager = calls().openManager(null, null, access);
  if (manager === null) throw new WindowsError("OpenSCManager", lastError());
  try {
    return act(manager);
  } finally {
    calls().close(manager);
  }
}

/** Undefined where there is no such service. */
export function withService<T>(name: string, access: number, act: (service: Handle) => T): T | undefined {
  return withManager(LOOK.manager, (manager) => {
    const service = calls().open(manager, name, access);
    if (service === null) {
      if (lastError() === ERROR.noSuchService) return undefined;
      throw new WindowsError(`OpenService ${name}`, lastError());
    }
    try {
      return act(service);
    } finally {
      calls().close(service);
    }
  });
}

/**
 * Makes the service, or changes it to what is wanted. Answers settings that this system does not know: on Windows there are none.
 * @throws WindowsError
 */
export function ensureService(wanted: Wanted): readonly string[] {
  if (withService(wanted.name, SERVICE_ALL, (service) => change(service, wanted)) === undefined) create(wanted);
  return withService(wanted.name, SERVICE_ALL, (service) => describe(service, wanted)) ?? [];
}

function create({ name, displayName, command, logon, startsWithMachine }: Wanted): void {
  // Without one Windows would make it Local System's.
  if (logon === undefined) throw new Error("a new service needs an account");
  const { account, password } = logon;
  withManager(MANAGER_ALL, (manager) => {
    const kind = [SERVICE_ALL, OWN_PROCESS, startOf(startsWithMachine), NORMAL_ERROR] as const;
    const made = calls().create(manager, name, displayName, ...kind, command, null, null, null, account, password);
    if (made === null) throw new WindowsError("CreateService", lastError());
    calls().close(made);
  });
}

function change(service: Handle, { displayName, command, logon, startsWithMachine }: Wanted): true {
  const kind = [OWN_PROCESS, startOf(startsWithMachine), NO_CHANGE] as const;
  const { account, password } = logon ?? { account: null, password: null };
  const rest = [command, null, null, null, account, password, displayName] as const;
  succeed("ChangeServiceConfig", calls().change(service, ...kind, ...rest));
  return true;
}

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const UNRESTRICTED_SID = 1;
/** After a day without an end the next one counts as the first. */
const RESET_SECONDS = 86_400;

function describe(service: Handle, wanted: Wanted): string[] {
  const { description, restartAfterMs, privileges, preshutdownMs, startsWithMachine } = wanted;
  const { text, failures, bytes } = calls();
  const actions = restartAfterMs.map((delay) => ({ type: RESTART, delay }));
  const restarts = { resetSeconds: RESET_SECONDS, message: null, command: null, count: actions.length, actions };
  const settings: Readonly<Record<string, () => number>> = {
    description: () => text(service, INFO.description, { text: description }),
    "service SID": () => bytes(service, INFO.sid, number(UNRESTRICTED_SID)),
    ...(startsWithMachine ? { "delayed start": () => bytes(service, INFO.delayed, number(1)) } : {}),
    "failure actions": () => failures(service, INFO.failureActions, restarts),
    // Only when the host itself dies: where it stops by itself, the agent would end the same way again.
    "failure flag": () => bytes(service, INFO.failureFlag, number(0)),
    privileges: () => text(service, INFO.privileges, { text: `${privileges.join("\0")}\0` }),
    ...(preshutdownMs === undefined
      ? {}
      : { preshutdown: () => bytes(service, INFO.preshutdown, number(preshutdownMs)) }),
  };
  return Object.entries(settings).flatMap(([name, set]) => {
    if (set() !== 0) return [];
    if (lastError() === ERROR.invalidLevel) return [name];
    throw new WindowsError(`ChangeServiceConfig2 (${name})`, lastError());
  });
}

/** Of a service that is there; what is left out stays. */
export interface Change {
  readonly command?: string;
  readonly startsWithMachine?: boolean;
}

/** The next start goes by it, also where it runs now. @throws WindowsError */
export function changeService(name: string, { command, startsWithMachine }: Change): void {
  const start = startsWithMachine === undefined ? NO_CHANGE : startOf(startsWithMachine);
  const kind = [NO_CHANGE, start, NO_CHANGE] as const;
  const done = withService(name, SERVICE_ALL, (service) => {
    const rest = [command ?? null, null, null, null, null, null, null] as const;
    succeed("ChangeServiceConfig", calls().change(service, ...kind, ...rest));
    return true;
  });
  if (done === undefined) throw new WindowsError(`OpenService ${name}`, ERROR.noSuchService);
}

/** Undefined where there is none. @throws WindowsError */
export const readConfiguration = (name: string): Configuration | undefined =>
  withService(name, LOOK.service, (service) => {
    const needed = [0];
    calls().config(service, null, 0, needed);
    const bytes = Buffer.alloc(needed[0] ?? 0);
    succeed("QueryServiceConfig", calls().config(service, bytes, bytes.length, needed));
    const { command, account, start } = native.decode(bytes, "QUERY_SERVICE_CONFIG");
    return { command, account, startsWithMachine: start === AUTOMATIC };
  });

/** Undefined where there is none. @throws WindowsError */
export const readState = (name: string): State | undefined =>
  withService(name, LOOK.service, (service) => {
    const bytes = Buffer.alloc(STATUS_BYTES);
    succeed("QueryServiceStatusEx", calls().status(service, 0, bytes, bytes.length, [0]));
    return parseStatus(bytes);
  });

/** Has it started; one that runs is left alone. @throws WindowsError */
export function startService(name: string): void {
  withService(name, TO_START, (service) => {
    if (calls().start(service, 0, null) !== 0 || lastError() === ERROR.serviceRunning) return;
    throw new WindowsError("StartService", lastError());
  });
}

/** Asks it to stop, and does not wait for that. @throws WindowsError */
export function stopService(name: string): void {
  withService(name, SERVICE_ALL, (service) => {
    if (calls().control(service, CONTROL_STOP, Buffer.alloc(STATUS_BYTES)) !== 0) return;
    const failure = lastError();
    // It has stopped, or is about to start or stop: whoever waits for its end asks again.
    if (failure !== ERROR.notStarted && failure !== ERROR.cannotAccept)
      throw new WindowsError("ControlService", failure);
  });
}

/** Deletes it; it goes when nobody holds it any more. Without one there is nothing to do. @throws WindowsError */
export function deleteService(name: string): void {
  withService(name, SERVICE_ALL, (service) => {
    if (calls().remove(service) !== 0 || lastError() === DELETE_LATER) return;
    throw new WindowsError("DeleteService", lastError());
  });
}
