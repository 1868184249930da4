/** Loaded into the executor of the build's rehearsal: at the end of its session it writes down what V8 has compiled by then. */
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

// What watches a session looks at it four times a second: in a short one never, or once. Here always, so that the cache holds it.
const { setInterval } = globalThis;
globalThis.setInterval = ((look: () => void, everyMs: number) => {
  setImmediate(look);
  return setInterval(look, everyMs);
}) as typeof setInterval;

const { version, platform, arch, argv } = process;
const file = join(argv[1] ?? "", "..", `serve-${version}-${platform}-${arch}.cache`);

// One that waited in vain is ended otherwise, and has compiled less.
process.on("exit", (code) => {
  if (code === 0) writeFileSync(file, script!.createCachedData());
});
