/** A job object around this process and all that it will start (learn.microsoft.com, "Job Objects"). */
import { lastError, library, once, succeed, WindowsError } from "./libraries.ts";

/** JOBOBJECT_EXTENDED_LIMIT_INFORMATION on 64 bits: where its two fields lie that are used, and its length. */
const EXTENDED = { kind: 9, bytes: 144, flagsAt: 16, jobMemoryAt: 120 } as const;
/** KILL_ON_JOB_CLOSE, DIE_ON_UNHANDLED_EXCEPTION (no window, no dump waits for anybody), JOB_MEMORY. */
const FLAGS = 0x2000 | 0x400 | 0x200;
/** The outer net above executorMemory, as MemoryMax of the unit for Linux: supervisor, executors and two warm ones. */
export const MEMORY_BYTES = 4 * 2 ** 30;

/** SetInformationJobObject's argument. */
export function limits(memoryBytes: number = MEMORY_BYTES): Buffer {
  const information = Buffer.alloc(EXTENDED.bytes);
  information.writeUInt32LE(FLAGS, EXTENDED.flagsAt);
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
 * which are in it from their first moment. @throws WindowsError
 */
export function endTogether(): void {
  const { create, set, assign, self } = calls();
  const job = create(null, null);
  if (job === null) throw new WindowsError("CreateJobObject", lastError());
  const information = limits();
  succeed("SetInformationJobObject", set(job, EXTENDED.kind, information, information.length));
  succeed("AssignProcessToJobObject", assign(job, self()));
}
