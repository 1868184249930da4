/** The test's two programs as bundles, made once for a process: an agent and an updater that start within a tenth of a second. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "../../build/bundle.ts";

export interface Programs {
  readonly agent: string;
  readonly updater: string;
}

let built: Promise<Programs> | undefined;

export function buildPrograms(): Promise<Programs> {
  built ??= build();
  return built;
}

const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

async function build(): Promise<Programs> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-update-programs-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const source = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
  await bundle({
    folder: join(folder, "built"),
    entryPoints: { program: source("program.ts"), updater: source("updater-process.ts") },
    format: "esm",
    outExtension: { ".js": ".mjs" },
    banner: { js: REQUIRE },
  });
  return { agent: join(folder, "built/program.mjs"), updater: join(folder, "built/updater.mjs") };
}
