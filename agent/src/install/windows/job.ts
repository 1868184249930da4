/** A job object around this process and all that it will start (learn.microsoft.com, "Job Objects"). */
import { lastError, library, once, succeed, WindowsError } from "./libraries.ts";

/** JOBOBJECT_EXTENDED_LIMIT_INFORMATION on 64 bits: where its fields lie that are used, and its length. */
const EXTENDED = { kind: 9, bytes: 144, flagsAt: 16, processMemoryAt: 112, jobMemoryAt: 120 } as const;
/** KILL_ON_JOB_CLOSE, DIE_ON_UNHANDLED_EXCEPTION (no window, no dump waits for anybody), JOB_MEMORY, PROCESS_MEMORY. */
const FLAGS = 0x2000 | 0x400 | 0x200 | 0x100;
/** The outer net above executorMemory, as MemoryMax of the unit for Linux: supervisor, executors and two warm ones. */
export const MEMORY_BYTES = 4 * 2 ** 30;
/** A job counts what a process may use, resident or not, and counts the supervisor too: what these need beyond `executorMemory`. */
const BESIDE = { reservedBytes: 256 * 2 ** 20, supervisorBytes: 768 * 2 ** 20 } as const;

/** SetInformationJobObject's argument: what one process may have, and all together. @param executorBytes `executorMemory` */
export function limits(executorBytes: number, memoryBytes: number = MEMORY_BYTES): Buffer {
  const each = Math.min(memoryBytes, Math.max(BESIDE.supervisorBytes, executorBytes + BESIDE.reservedBytes));
  const information = Buffer.alloc(EXTENDED.bytes);
  information.writeUInt32LE(FLAGS, EXTENDED.flagsAt);
  information.writeBigUInt64LE(BigInt(each), EXTENDED.processMemoryAt);
  information.writeBigUInt64LE(BigInt(memoryBytes), EXTENDED.jobMemoryAt);
  return information;
}

const calls = once(() => {
  const kernel = library("kernel32");
  return {
    create: kernel.func("void * __stdcall CreateJobObjectW(void *attributes, void *name)"),
    set: kernel.func("int __stdcall SetInformationJobObject(void *job, int kind, void *information, uint32_t bytes)"),
    assign: kernel.func("int __stdcall AssignProcessToJobObject(void *job, void *process)"),
    self: kernel.func("void * __stdcall GetCurrentProcess()"),
  };
});

/**
 * Puts this process into a job that ends with it: the only handle is ours, so whatever ends us ends the agent and its executors,
 * which are in it from their first moment. @param executorBytes `executorMemory` @throws WindowsError
 */
export function endTogether(executorBytes: number): void {
  const { create, set, assign, self } = calls();
  const job = create(null, null);
  if (job === null) throw new WindowsError("CreateJobObject", lastError());
  const information = limits(executorBytes);
  succeed("SetInformationJobObject", set(job, EXTENDED.kind, information, information.length));
  succeed("AssignProcessToJobObject", assign(job, self()));
}
