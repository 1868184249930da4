/**
 * The FFI in the bundle: its native part, which lies beside the script. What its package wraps around it finds it among
 * folders of packages, and has nothing else that is used here.
 */
import { createRequire } from "node:module";
import { join } from "node:path";

const FILE = join(import.meta.dirname, "koffi.node");

export const native: typeof import("koffi").default = createRequire(FILE)(FILE);
