/** `npm run build`: see `--help`. */
import { relative } from "node:path";
import { parseArgs } from "node:util";
import { buildAgent } from "./agent.ts";
import type { Bundle } from "./bundle.ts";
import { buildCloud } from "./cloud.ts";
import { ROOT } from "./root.ts";

const HELP = `Bundles what is deployed: the agent into agent/dist, the function app into cloud/dist. Each folder runs anywhere by itself,
without node_modules. The same sources give the same bytes.

  npm run build
  npm run build -- --json    print files and packages as one JSON object
`;

const options = readOptions();
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const [agent, cloud] = await Promise.all([buildAgent(), buildCloud()]).catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
process.stdout.write(
  options.json ? `${JSON.stringify({ agent, cloud })}\n` : `${tell("agent", agent)}\n${tell("cloud", cloud)}`,
);

function readOptions() {
  try {
    const { values } = parseArgs({
      options: { json: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } },
    });
    return values;
  } catch (thrown) {
    process.stderr.write(`${(thrown as Error).message}\n\n${HELP}`);
    process.exit(64);
  }
}

function tell(name: string, { folder, files, javascriptBytes, packages }: Bundle): string {
  const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1).padStart(9)} KB`;
  const lines = files.map((file) => `  ${file.name.padEnd(34)}${kilobytes(file.bytes)}`);
  const total = `${kilobytes(javascriptBytes)} of JavaScript from ${packages.length} packages and our own`;
  return `${[`${name}: ${relative(ROOT, folder)}`, ...lines, `  ${"".padEnd(34)}${total}`].join("\n")}\n`;
}
