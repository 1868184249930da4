/**
 * Preloaded by `npm test`: each test file and each command that it runs is a process of its own, and would strip the same
 * sources of their types again. https://nodejs.org/api/module.html#module-compile-cache
 */
import { fileURLToPath } from "node:url";

// Of this process it is too late for all but its children.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL("../node_modules/.cache/compile", import.meta.url));
