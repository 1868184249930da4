/** A bill of materials in CycloneDX 1.6 (ECMA-424). No serial number: the same sources give the same bytes. */
import { createHash } from "node:crypto";
import type { SystemFile } from "./libraries.ts";
import { type Package, UNKNOWN } from "./packages.ts";

export interface Bill {
  readonly name: string;
  readonly version: string;
  readonly epochSeconds: number;
  readonly packages: readonly Package[];
  /** Node's binary, where the product brings it. */
  readonly node?: { readonly version: string; readonly bytes: Buffer } | undefined;
  /** What was put into that binary. */
  readonly inside?: { readonly name: string; readonly bytes: Buffer };
  /** Files of the system that it was made on. */
  readonly system?: readonly SystemFile[];
}

export function sbomOf({ name, version, epochSeconds, packages, node, inside, system = [] }: Bill): string {
  const ref = `pkg:generic/${name}@${version}`;
  const components = [
    ...packages.map(npmComponent),
    ...(node === undefined ? [] : [nodeComponent(node.version, node.bytes)]),
    ...(inside === undefined ? [] : [insideComponent(inside)]),
    ...system.map(systemComponent),
  ];
  const bill = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      timestamp: new Date(epochSeconds * 1000).toISOString(),
      component: {
        ...{ type: "application", "bom-ref": ref, name, version },
        licenses: [{ license: { id: "Apache-2.0" } }],
        purl: ref,
      },
    },
    components,
    dependencies: [{ ref, dependsOn: components.map((component) => component["bom-ref"]) }],
  };
  return `${JSON.stringify(bill, null, 1)}\n`;
}

function npmComponent({ name, version, licence, sha512 }: Package) {
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return {
    ...{ type: "library", "bom-ref": purl, name, version },
    ...(sha512 === "" ? {} : { hashes: [{ alg: "SHA-512", content: sha512 }] }),
    ...(licence === UNKNOWN ? {} : { licenses: [licenceOf(licence)] }),
    purl,
  };
}

const licenceOf = (licence: string) =>
  /^[A-Za-z0-9.-]+$/.test(licence) ? { license: { id: licence } } : { expression: licence };

function nodeComponent(version: string, bytes: Buffer) {
  const purl = `pkg:generic/node@${version}`;
  return {
    ...{ type: "platform", "bom-ref": purl, name: "node", version },
    hashes: [{ alg: "SHA-256", content: sha256(bytes) }],
    licenses: [{ license: { id: "MIT" } }],
    purl,
  };
}

const insideComponent = ({ name, bytes }: NonNullable<Bill["inside"]>) => ({
  ...{ type: "file", "bom-ref": `resource:${name}`, name },
  hashes: [{ alg: "SHA-256", content: sha256(bytes) }],
});

function systemComponent({ path, bytes, origin }: SystemFile) {
  const ref = `file:/${path}`;
  return {
    ...{ type: "file", "bom-ref": ref, name: `/${path}` },
    hashes: [{ alg: "SHA-256", content: sha256(bytes) }],
    ...(origin === undefined ? {} : { version: origin.version, purl: origin.purl }),
  };
}

export const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
