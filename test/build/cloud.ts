/**
 * The function app as Azure gets it: CommonJS without `node_modules` (an ES module registers nothing there), host.json,
 * and beside it the thread that writes Parquet with its WebAssembly, and OpenTelemetry.
 */
import { copyFileSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { type Bundle, bundle } from "./bundle.ts";
import { ROOT } from "./root.ts";

export const CLOUD_DIST: string = join(ROOT, "cloud/dist");
const CLOUD = join(ROOT, "cloud");

/** Makes the function app's bundle in `folder`, which it empties first. */
export function buildCloud(folder: string = CLOUD_DIST): Promise<Bundle> {
  return bundle(
    {
      folder,
      entryPoints: {
        index: "functions",
        "parquet-worker": join(CLOUD, "src/sinks/parquet-worker.ts"),
        // A file of its own, which is not even read where no exporter is set.
        otel: join(CLOUD, "src/telemetry/otel.ts"),
      },
      format: "cjs",
      // Supplied by the worker that loads the app.
      external: ["@azure/functions-core"],
      define: { "import.meta.dirname": "__dirname", "import.meta.filename": "__filename" },
      plugins: [
        {
          name: "functions",
          setup({ onResolve, onLoad }) {
            onResolve({ filter: /^functions$/ }, ({ path }) => ({ path, namespace: "functions" }));
            onLoad({ filter: /.*/, namespace: "functions" }, () => ({ contents: everyFunction(), resolveDir: CLOUD }));
          },
        },
      ],
    },
    () => addFiles(folder),
  );
}

/** Imports of the files that package.json's `main` names, in the order in which a worker loads them. */
function everyFunction(): string {
  const { main } = JSON.parse(readFileSync(join(CLOUD, "package.json"), "utf8")) as { main: string };
  const files = globSync(main, { cwd: CLOUD }).filter((file) => !file.endsWith(".test.ts"));
  return files
    .sort()
    .map((file) => `import ${JSON.stringify(`./${file}`)};\n`)
    .join("");
}

/** What esbuild does not make: the host's settings, the app's entry, and the WebAssembly beside whoever reads it. */
function addFiles(folder: string): void {
  copyFileSync(join(CLOUD, "host.json"), join(folder, "host.json"));
  writeFileSync(join(folder, "package.json"), '{ "type": "commonjs",\n  "main": "index.js" }\n');
  const parquet = dirname(createRequire(join(CLOUD, "package.json")).resolve("parquet-wasm"));
  const wasm = join(parquet, "parquet_wasm_bg.wasm");
  copyFileSync(wasm, join(folder, basename(wasm)));
}
