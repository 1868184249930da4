/** Everything that a release is, as files of one folder. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layoutIn } from "@sallyport/agent/src/install/layout.ts";
import { VERSION } from "@sallyport/agent/src/version.ts";
import { buildAgent } from "../agent.ts";
import { buildCloud } from "../cloud.ts";
import { ROOT } from "../root.ts";
import { agreeOnCodeCache } from "./code-cache.ts";
import { deb } from "./deb.ts";
import { file, filesOf, link } from "./entries.ts";
import { imageOf, rootFileSystem } from "./image.ts";
import { noticesOf, packagesOf } from "./packages.ts";
import { installedEntries, type Product, productOf } from "./product.ts";
import { sbomOf, sha256 } from "./sbom.ts";
import { gzipped, tar } from "./tar.ts";
import { zip } from "./zip.ts";

export interface Artefact {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

const PACKAGING = join(ROOT, "agent/install");
/** As Debian and OCI name what Node calls x64. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/**
 * Makes a release of this machine's platform in `folder`, which it empties first. What it makes depends on the sources, the
 * lockfile, the time of the last commit (or SOURCE_DATE_EPOCH), and for the image on this system's libraries, which its bill
 * names; on nothing else.
 */
export async function makeRelease(folder: string, epochSeconds: number = releaseTime()): Promise<Artefact[]> {
  const architecture = ARCHITECTURES[process.arch];
  if (process.platform !== "linux" || architecture === undefined)
    throw new Error("Releases are made on Linux, x64 or arm64.");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const made: Artefact[] = [];
  const write = (name: string, content: Buffer | string): void => {
    const bytes = Buffer.from(content);
    writeFileSync(join(folder, name), bytes);
    made.push({ name, bytes: bytes.length, sha256: sha256(bytes) });
  };
  const work = mkdtempSync(join(tmpdir(), "sallyport-release-"));
  try {
    const agent = await buildAgent(join(work, "agent"));
    await agreeOnCodeCache(agent.folder);
    const product = productOf(agent, VERSION, epochSeconds);
    writeAgent(product, architecture, epochSeconds, write);
    await writeCloud(join(work, "cloud"), epochSeconds, write);
  } finally {
    rmSync(work, { recursive: true });
  }
  made.sort((a, b) => (a.name < b.name ? -1 : 1));
  writeFileSync(join(folder, "SHA256SUMS"), made.map((each) => `${each.sha256}  ${each.name}\n`).join(""));
  return made;
}

type Write = (name: string, content: Buffer | string) => void;

function writeAgent(product: Product, architecture: string, epochSeconds: number, write: Write): void {
  const { version, packages, node } = product;
  const named = `sallyport-${version}-linux-${process.arch}`;
  // What an update brings: the version's folder, files only.
  write(`${named}.tar.gz`, gzipped(tar(product.entries, { epochSeconds })));
  write(`${named}.cdx.json`, product.sbom);
  write(`sallyport_${version}_${architecture}.deb`, debOf(product, architecture, epochSeconds));
  const { entries, system } = rootFileSystem(product);
  const image = imageOf(entries, version, architecture, epochSeconds);
  write(`${named}-rootfs.tar.gz`, image.layer);
  write(`${named}-oci.tar`, image.archive);
  write(`${named}-image.cdx.json`, sbomOf({ name: "sallyport-image", version, epochSeconds, packages, node, system }));
  for (const name of ["Dockerfile", "compose.yaml", "kubernetes.yaml"])
    write(name, filled(join(PACKAGING, "container", name), { VERSION: version, NAMED: named }));
}

function debOf(product: Product, architecture: string, epochSeconds: number): Buffer {
  const { current, command } = layoutIn();
  const values = { VERSION: product.version, ARCHITECTURE: architecture };
  const script = (name: string) => [name, filled(join(PACKAGING, "deb", name), values)] as const;
  const copyright = product.entries.find(({ path }) => path === "THIRD-PARTY-NOTICES.txt");
  if (copyright?.kind !== "file") throw new Error("the product has no notices");
  return deb({
    control: filled(join(PACKAGING, "deb/control"), values),
    scripts: Object.fromEntries(["postinst", "prerm", "postrm"].map(script)),
    entries: [
      ...installedEntries(product),
      link(command.slice(1), `${current}/app/sallyport.mjs`),
      ...filesOf(join(ROOT, "docs"), "usr/share/doc/sallyport").filter(({ path }) => path.endsWith(".md")),
      file("usr/share/doc/sallyport/copyright", copyright.bytes),
    ],
    epochSeconds,
  });
}

async function writeCloud(folder: string, epochSeconds: number, write: Write): Promise<void> {
  const cloud = await buildCloud(folder);
  const packages = packagesOf(cloud.packages);
  const named = `sallyport-functions-${VERSION}`;
  const sbom = sbomOf({ name: "sallyport-functions", version: VERSION, epochSeconds, packages });
  const notices = file("THIRD-PARTY-NOTICES.txt", noticesOf("Sallyport's function app", packages));
  const files = filesOf(cloud.folder, "app").map((entry) => ({ ...entry, path: entry.path.slice("app/".length) }));
  write(`${named}.zip`, zip([...files, notices], epochSeconds));
  write(`${named}.cdx.json`, sbom);
}

/** A file of the packaging, with `@NAME@` filled in. @throws where a name is left */
function filled(path: string, values: Readonly<Record<string, string>>): string {
  const text = readFileSync(path, "utf8").replaceAll(/@([A-Z_]+)@/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${path} asks for ${name}`);
    return value;
  });
  return text;
}

/** https://reproducible-builds.org/specs/source-date-epoch/ */
export function releaseTime(environment: NodeJS.ProcessEnv = process.env): number {
  const given = environment.SOURCE_DATE_EPOCH;
  const text = given ?? execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: ROOT, encoding: "utf8" }).trim();
  if (!/^\d{1,10}$/.test(text)) throw new Error(`SOURCE_DATE_EPOCH is a number of seconds, not ${text}`);
  return Number(text);
}
