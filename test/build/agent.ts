/**
 * The agent as one folder of ES modules: the command line with the supervisor, the executor, and chunks that they load
 * when they need them, so that the supervisor never loads the SQL driver.
 */
import { join } from "node:path";
import { type Bundle, bundle, type Plugin } from "./bundle.ts";
import { hycoSubmodules, hycoWithoutTokens } from "./hyco.ts";
import { ROOT } from "./root.ts";
import { englishOnly, nodeStreams, noEntra, shakenZod } from "./slim.ts";

export const AGENT_DIST: string = join(ROOT, "agent/dist");
/** What `sallyport` is in the bundle's folder. */
export const AGENT_MAIN = "sallyport.mjs";
export const EXECUTOR_MAIN = "executor.mjs";

/** CommonJS packages ask for Node's modules by `require`, which an ES module does not have. */
const REQUIRE =
  'import { createRequire as sallyportRequire } from "node:module"; const require = sallyportRequire(import.meta.url);';

/** Makes the agent's bundle in `folder`, which it empties first. */
export function buildAgent(folder: string = AGENT_DIST): Promise<Bundle> {
  return bundle({
    folder,
    entryPoints: { sallyport: join(ROOT, "agent/src/cli/main.ts"), executor: join(ROOT, "agent/src/executor/main.ts") },
    format: "esm",
    splitting: true,
    chunkNames: "[name]-[hash]",
    outExtension: { ".js": ".mjs" },
    banner: { js: REQUIRE },
    // A third less to keep in memory. No output of an executor is ever read, and the supervisor logs messages, no stacks.
    minifyIdentifiers: true,
    plugins: [bundledProgram, noEntra, nodeStreams, englishOnly, shakenZod, hycoSubmodules, hycoWithoutTokens],
  });
}

/** Puts what the bundle knows of its own files in the place of what the sources know of theirs. */
const bundledProgram: Plugin = {
  name: "bundled program",
  setup({ onLoad }) {
    const bundled = join(ROOT, "agent/src/program-bundled.ts");
    onLoad({ filter: /\/agent\/src\/program\.ts$/ }, () => ({
      contents: `export * from ${JSON.stringify(bundled)};`,
      loader: "ts",
    }));
  },
};
