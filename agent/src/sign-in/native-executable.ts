/** The FFI of the single executable: its native part, which lies beside it. */
import { NATIVE_FILE } from "../program-executable.ts";

const module = { exports: {} };
process.dlopen(module, NATIVE_FILE);

export const native = module.exports as typeof import("koffi").default;
