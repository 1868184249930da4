/** The agent as it lies in an installation: one version's folder, with everything that the law and an auditor want beside it. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { layoutIn, versionFolder } from "@sallyport/agent/src/install/layout.ts";
import { AGENT_MAIN } from "../agent.ts";
import type { Bundle } from "../bundle.ts";
import { plainNode } from "../node.ts";
import { ROOT } from "../root.ts";
import { below, type Entry, file, filesOf } from "./entries.ts";
import { noticesOf, type Package, packagesOf } from "./packages.ts";
import { sbomOf } from "./sbom.ts";

export interface Product {
  readonly version: string;
  /** Paths from the version's own folder. */
  readonly entries: readonly Entry[];
  readonly packages: readonly Package[];
  readonly sbom: string;
  readonly node: { readonly version: string; readonly bytes: Buffer; readonly path: string };
}

/** `env` drops what would change Node before it reads a line of ours; found by the link, whatever version runs. */
const FIRST_LINE = `#!/usr/bin/env -S -u NODE_OPTIONS ${layoutIn().current}/node --disable-warning=ExperimentalWarning\n`;

/** @param agent the agent's bundle */
export function productOf(agent: Bundle, version: string, epochSeconds: number): Product {
  const packages = packagesOf([...agent.packages, ...nativeIn(agent)].sort());
  const plain = plainNode();
  const node = { ...plain, bytes: readFileSync(plain.path) };
  const sbom = sbomOf({ name: "sallyport-agent", version, epochSeconds, packages, node });
  const app = filesOf(agent.folder, "app").map((entry) =>
    entry.kind === "file" && entry.path === `app/${AGENT_MAIN}` ? withFirstLine(entry) : entry,
  );
  return {
    version,
    packages,
    sbom,
    node,
    entries: [
      ...app,
      file("node", node.bytes, 0o755),
      file("LICENSE", readFileSync(join(ROOT, "LICENSE"))),
      file("THIRD-PARTY-NOTICES.txt", noticesOf("Sallyport's agent", [...packages, nodePackage(node.version)])),
      file("sbom.cdx.json", sbom),
    ],
  };
}

/** The same where an installation has it. */
export function installedEntries({ version, entries }: Product): Entry[] {
  const { root } = versionFolder(layoutIn(), version);
  return below(root.slice(1), entries);
}

/** The FFI's binary is copied, not bundled. */
const nativeIn = ({ files }: Bundle): string[] => {
  if (!files.some(({ name }) => name === "koffi.node")) return [];
  const name = `@koromix/koffi-${process.platform}-${process.arch}`;
  const { version } = createRequire(import.meta.url)(join(ROOT, "node_modules", name, "package.json")) as {
    version: string;
  };
  return [`${name}@${version}`];
};

function withFirstLine(entry: Entry & { kind: "file" }): Entry {
  const text = entry.bytes.toString("utf8");
  if (!text.startsWith("#!")) throw new Error(`${entry.path} has no first line for the system`);
  return file(entry.path, FIRST_LINE + text.slice(text.indexOf("\n") + 1), 0o755);
}

/** Node with the licence that it is passed on under. @throws where that is not kept here */
export function nodePackage(version: string): Package {
  // Kept here: npm may remove the package that brought the binary, and its licence with it.
  const text = join(ROOT, `agent/install/licences/node-${version}.txt`);
  if (!existsSync(text)) throw new Error(`${text} is missing: the binary may not be passed on without its licence`);
  return { name: "node", version, licence: "MIT", sha512: "", texts: [readFileSync(text, "utf8").trimEnd()] };
}
