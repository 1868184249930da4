/** `npm run release`: see `--help`. */
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../root.ts";
import { makeRelease } from "./release.ts";

const HELP = `Makes what people install, in dist/release: the agent as a .deb, as a container image and as a tar.gz for updates, for this
machine's architecture; the function app's zip; bills of materials, and SHA256SUMS over all.

  npm run release
  npm run release -- --out DIR    elsewhere; DIR is emptied first

The same commit gives the same bytes in any folder; SOURCE_DATE_EPOCH takes the place of the commit's time. Nothing is signed here.
`;

const { values } = parseArgs({
  options: { out: { type: "string", default: join(ROOT, "dist/release") }, help: { type: "boolean", short: "h" } },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const folder = resolve(values.out);
const made = await makeRelease(folder).catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
const lines = made.map(({ name, bytes }) => `  ${name.padEnd(44)}${(bytes / 1e6).toFixed(1).padStart(8)} MB`);
process.stdout.write(`${relative(process.cwd(), folder) || "."}\n${lines.join("\n")}\n`);
