/** The packages of a bundle, as the lockfile and their own folders know them: versions, sums, licences and their texts. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../root.ts";

export interface Package {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly licence: string;
  /** Of its archive in the registry, hexadecimal. */
  readonly sha512: string;
  /** Its licence, notices and copyrights, as its authors wrote them; empty where the package holds none. */
  readonly texts: readonly string[];
}

/** As SPDX says that nobody has said it. */
export const UNKNOWN = "NOASSERTION";

interface Locked {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
}

/** @param wanted `name@version`, as a bundle names them @throws where the lockfile has no such package */
export function packagesOf(wanted: readonly string[]): Package[] {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, Locked>;
  };
  return wanted.map((each) => {
    const at = each.lastIndexOf("@");
    const [name, version] = [each.slice(0, at), each.slice(at + 1)];
    const found = Object.entries(packages).find(
      ([path, locked]) => path.endsWith(`node_modules/${name}`) && locked.version === version,
    );
    if (found === undefined) throw new Error(`${each} is not in the lockfile`);
    const [path, { license, integrity }] = found;
    return {
      name,
      version,
      licence: license ?? UNKNOWN,
      sha512: hexOf(integrity),
      texts: textsIn(join(ROOT, path)),
    };
  });
}

const hexOf = (integrity = ""): string =>
  Buffer.from(/^sha512-(\S+)/.exec(integrity)?.[1] ?? "", "base64").toString("hex");

const TEXT = /^(licen[cs]e|copying|notice)/i;

const textsIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && TEXT.test(entry.name))
    .map((entry) => readFileSync(join(folder, entry.name), "utf8").replaceAll("\r\n", "\n").trimEnd())
    .sort();

/** What a product holds of others: each with its licence, then their texts, one that several share only once. */
export function noticesOf(product: string, packages: readonly Package[]): string {
  const list = packages.map(({ name, version, licence }) => `${name} ${version}: ${licence}`);
  const byText = new Map<string, string[]>();
  for (const { name, version, licence, texts } of packages) {
    const shown = texts.length > 0 ? texts : [`(The package holds no text of its licence, ${licence}.)`];
    for (const text of shown) byText.set(text, [...(byText.get(text) ?? []), `${name} ${version}`]);
  }
  const texts = [...byText].map(([text, names]) => `${"=".repeat(80)}\n${names.join(", ")}\n\n${text}\n`);
  return `${product} holds these works of others.\n\n${list.join("\n")}\n\n${texts.join("\n")}`;
}
