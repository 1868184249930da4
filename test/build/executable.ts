/**
 * The agent as a single executable: Node's binary with everything that the agent runs inside, and koffi.node beside it. What an
 * executor runs is taken from the bundle, byte by byte: its compiled code fits no other script.
 */
import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { type AgentOptions, agentPlugins, WRAPPER } from "./agent.ts";
import { type Bundle, bundle } from "./bundle.ts";
import { plainNode } from "./node.ts";
import { ROOT } from "./root.ts";

/** Scripts beside the executor's, each compiled only by a process that runs it. */
const SCRIPTS = { sallyport: "agent/src/cli/main.ts", "sign-in": "agent/src/sign-in/main.ts" };
/** What the bundle's folder has of the executor. */
const [SERVE, SERVE_CACHE] = ["serve.js", "serve.cache"];

/** For every process, whatever it is started with. The rest is given where one is started (agent/src/supervisor/executor-command.ts). */
const NODE_FLAGS = ["--disable-sigusr1", "--disable-warning=ExperimentalWarning"];

/** https://nodejs.org/docs/latest-v24.x/api/single-executable-applications.html */
export const RESOURCE = "NODE_SEA_BLOB";
export const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
/** By LIEF, compiled to WebAssembly. */
const POSTJECT = createRequire(import.meta.url).resolve("postject/dist/cli.js");

export interface Executable {
  readonly file: string;
  /** What was put into it: the bytes that Node maps and runs. */
  readonly blob: string;
  readonly scripts: Bundle;
}

export interface ExecutableOptions extends AgentOptions {
  /** The agent's bundle: its script for executors is taken from there. */
  readonly agent: Bundle;
  /** Node for the platform that it is for, of this Node's version and without a signature; this machine's otherwise. */
  readonly node?: string;
  /** Compiled code is of one platform and one Node: only where it was made for that one. */
  readonly withCodeCache?: boolean;
  readonly name?: string;
}

/**
 * Makes the executable in `folder`, which it empties first. The same bundle and the same Node give the same bytes.
 * @throws Error with what a tool said that failed
 */
export async function buildExecutable(
  folder: string,
  { agent, node = plainNode().path, withCodeCache = true, name = "sallyport", ...options }: ExecutableOptions,
): Promise<Executable> {
  const scripts = await bundleScripts(join(folder, "scripts"), options);
  const blob = await makeBlob(scripts.folder, agent.folder, withCodeCache);
  const file = join(folder, name);
  copyFileSync(node, file);
  chmodSync(file, 0o755);
  await run([POSTJECT, file, RESOURCE, blob, "--sentinel-fuse", FUSE]);
  return { file, blob, scripts };
}

function bundleScripts(folder: string, options: AgentOptions): Promise<Bundle> {
  const common = {
    format: "cjs",
    minifyIdentifiers: true,
    plugins: agentPlugins("executable", options),
    define: { "import.meta.dirname": "__dirname" },
    outExtension: { ".js": ".js" },
    // A script that is compiled by hand has no `import()` of its own.
    supported: { "dynamic-import": false },
  } as const;
  return bundle({
    folder,
    ...common,
    entryPoints: { main: join(ROOT, "agent/src/executable/main.ts") },
    also: Object.entries(SCRIPTS).map(([name, source]) => ({
      ...common,
      ...WRAPPER,
      entryPoints: { [name]: join(ROOT, source) },
    })),
  });
}

async function makeBlob(scripts: string, agent: string, withCodeCache: boolean): Promise<string> {
  copyFileSync(join(agent, SERVE), join(scripts, SERVE));
  const cache = readdirSync(agent).find((each) => each.endsWith(".cache"));
  if (withCodeCache && cache !== undefined) copyFileSync(join(agent, cache), join(scripts, SERVE_CACHE));
  const assets = [SERVE, SERVE_CACHE, ...Object.keys(SCRIPTS).map((script) => `${script}.js`)]
    .filter((asset) => existsSync(join(scripts, asset)))
    .sort();
  const configuration = {
    // Relative: the blob keeps it.
    main: "main.js",
    output: "sallyport.blob",
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    useCodeCache: false,
    execArgv: NODE_FLAGS,
    // With any other the flags that confine an executor would be words for our command line, and NODE_OPTIONS would be read.
    execArgvExtension: "cli",
    assets: Object.fromEntries(assets.map((asset) => [asset, asset])),
  };
  writeFileSync(join(scripts, "sea.json"), JSON.stringify(configuration));
  await run(["--experimental-sea-config", "sea.json"], scripts);
  return join(scripts, configuration.output);
}

/** What LIEF and Node remark is shown only where they fail. */
async function run(args: readonly string[], cwd?: string): Promise<void> {
  await promisify(execFile)(plainNode().path, args, { cwd, env: {} });
}
