/**
 * The agent as one folder: the command line with the supervisor as ES modules, chunks that are loaded when they are
 * needed; and the executor, CommonJS because Node starts that sooner, with one script that was compiled ahead. The
 * supervisor never loads the SQL driver. Beside them the sign-in child, with the only native code.
 */
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { type Bundle, bundle, type Plugin } from "./bundle.ts";
import { addCodeCache } from "./code-cache.ts";
import { hycoSubmodules, hycoWithoutTokens } from "./hyco.ts";
import { ROOT } from "./root.ts";
import { daysOnly, englishOnly, fewerCodePages, nodeStreams, noEntra, shakenZod } from "./slim.ts";

export const AGENT_DIST: string = join(ROOT, "agent/dist");
/** What `sallyport` is in the bundle's folder. */
export const AGENT_MAIN = "sallyport.mjs";
export const EXECUTOR_MAIN = "executor.cjs";

/** As `run-script.ts` runs it. */
export const WRAPPER = {
  banner: { js: "(function(exports,require,module,__dirname){" },
  footer: { js: "})" },
} as const;

/** CommonJS packages ask for Node's modules by `require`, which an ES module does not have. */
const REQUIRE =
  'import { createRequire as sallyportRequire } from "node:module"; const require = sallyportRequire(import.meta.url);';

export interface AgentOptions {
  /** The publisher's public keys, as lines of minisign: without one the program takes no update. */
  readonly releaseKeys?: readonly string[];
  /** Instead of package.json's. */
  readonly version?: string;
  /** Leaves in what only other platforms run. */
  readonly forAnyPlatform?: boolean;
}

/** Makes the agent's bundle in `folder`, which it empties first. */
export function buildAgent(folder: string = AGENT_DIST, options: AgentOptions = {}): Promise<Bundle> {
  // A third less to keep in memory. No output of an executor is ever read, and the supervisor logs messages, no stacks.
  const common = { minifyIdentifiers: true, plugins: agentPlugins("bundled", options) };
  const script = { ...common, format: "cjs", define: { "import.meta.dirname": "__dirname" } } as const;
  return bundle(
    {
      folder,
      entryPoints: {
        sallyport: join(ROOT, "agent/src/cli/main.ts"),
        updater: join(ROOT, "agent/src/update/main.ts"),
        "sign-in": join(ROOT, "agent/src/sign-in/main.ts"),
      },
      format: "esm",
      splitting: true,
      chunkNames: "[name]-[hash]",
      outExtension: { ".js": ".mjs" },
      banner: { js: REQUIRE },
      // It is of this platform, as its native code is: what only another one runs is left out.
      define: options.forAnyPlatform === true ? {} : { "process.platform": JSON.stringify(process.platform) },
      ...common,
      also: [
        {
          ...script,
          entryPoints: { executor: join(ROOT, "agent/src/executor/main.ts") },
          outExtension: { ".js": ".cjs" },
        },
        {
          ...script,
          entryPoints: { serve: join(ROOT, "agent/src/executor/script.ts") },
          ...WRAPPER,
        },
      ],
    },
    async () => {
      addNativeCode(folder);
      await addCodeCache(join(folder, AGENT_MAIN));
    },
  );
}

/** Of the FFI only what is native, for this platform; where there is none, nobody signs in by Kerberos. */
function addNativeCode(folder: string): void {
  const { platform, arch } = process;
  const name = `@koromix/koffi-${platform}-${arch}/${platform}_${arch}/koffi.node`;
  const file = join(ROOT, "node_modules", name);
  if (existsSync(file)) copyFileSync(file, join(folder, "koffi.node"));
}

export type Form = "bundled" | "executable";

/** Puts what this form of the program knows of its own files in the place of what the sources know of theirs. */
const programOf = (form: Form): Plugin => ({
  name: `${form} program`,
  setup({ onLoad }) {
    onLoad({ filter: /\/agent\/src\/(program|executor\/load|sign-in\/native)\.ts$/ }, ({ path }) => ({
      contents: `export * from ${JSON.stringify(path.replace(/\.ts$/, `-${form}.ts`))};`,
      loader: "ts",
    }));
  },
});

/** Puts what only the publisher knows in its place. */
const givenByPublisher = ({ releaseKeys = [], version }: AgentOptions): Plugin => ({
  name: "given by the publisher",
  setup({ onLoad }) {
    onLoad({ filter: /\/agent\/src\/update\/release-keys\.ts$/ }, () => ({
      contents: `export const RELEASE_KEYS = ${JSON.stringify(releaseKeys)};`,
    }));
    if (version === undefined) return;
    onLoad({ filter: /\/agent\/src\/version\.ts$/ }, () => ({
      contents: `export const VERSION = ${JSON.stringify(version)};`,
    }));
  },
});

export const agentPlugins = (form: Form, options: AgentOptions): Plugin[] => [
  programOf(form),
  givenByPublisher(options),
  noEntra,
  daysOnly,
  nodeStreams,
  englishOnly,
  shakenZod,
  fewerCodePages,
  hycoSubmodules,
  hycoWithoutTokens,
];
