/**
 * Loaded into an executor before its own code when the bundle is built: it believes that it is confined, and when it
 * gives its right to read away, because all is loaded, what V8 has compiled so far is written down.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import vm from "node:vm";

const { Script } = vm;
let script: vm.Script | undefined;
vm.Script = class extends Script {
  constructor(code: string, options: vm.ScriptOptions) {
    super(code, options);
    script = this;
  }
} as typeof vm.Script;

const { version, platform, arch, argv } = process;
const file = join(argv[1] ?? "", "..", `serve-${version}-${platform}-${arch}.cache`);

Object.defineProperty(process, "permission", {
  value: {
    has: () => false,
    drop() {
      writeFileSync(file, script!.createCachedData());
      process.exit(0);
    },
  },
});
