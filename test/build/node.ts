/** Node's binary as releases carry it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./root.ts";

const NODE = join(ROOT, "node_modules/node");

/** As the npm package `node` brings it for this machine, unchanged: its sum can be compared with the registry's. */
export function plainNode(): { readonly version: string; readonly path: string } {
  const { version } = JSON.parse(readFileSync(join(NODE, "package.json"), "utf8")) as { version: string };
  return { version, path: join(NODE, "bin/node") };
}
