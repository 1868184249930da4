/** Runs a script that was bundled as CommonJS, in its wrapper: `(function(exports,require,module,__dirname){…})`. */
import vm from "node:vm";

export interface ScriptOptions {
  /** In stack traces, and in compiled code: not a whole path, which the code would keep from where it was built. */
  readonly filename: string;
  readonly folder: string;
  readonly require: (name: string) => unknown;
  /** What V8 compiled of it at the build: taken where it is this V8's own (vm.Script, `cachedData`); it is the same either way. */
  readonly cachedData: Buffer | undefined;
}

type Wrapped = (
  exports: object,
  require: ScriptOptions["require"],
  module: { exports: object },
  folder: string,
) => void;

/** Answers what it exports. */
export function runScript(source: string, { filename, folder, require, cachedData }: ScriptOptions): object {
  const script = new vm.Script(source, { filename, ...(cachedData === undefined ? {} : { cachedData }) });
  const module = { exports: {} };
  const run = script.runInThisContext() as Wrapped;
  run(module.exports, require, module, folder);
  return module.exports;
}
