/** The single executables as a release has them: each in one archive, with native code, licences and bill beside it. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AgentOptions } from "../agent.ts";
import type { Bundle } from "../bundle.ts";
import { buildExecutable, RESOURCE } from "../executable.ts";
import { plainNode } from "../node.ts";
import { ROOT } from "../root.ts";
import { type Entry, file } from "./entries.ts";
import { readInputs, windowsInputs } from "./inputs.ts";
import { noticesOf, type Package } from "./packages.ts";
import { withoutSignature } from "./pe.ts";
import { nodePackage, type Product } from "./product.ts";
import { sbomOf } from "./sbom.ts";

export interface ExecutableProduct {
  /** All that lies in the executable's folder, as names. */
  readonly entries: readonly Entry[];
  readonly sbom: string;
}

/** What an executable is made from, beside the bundle that the other artefacts hold. */
interface Of extends AgentOptions {
  readonly work: string;
  readonly agent: Bundle;
  readonly version: string;
  readonly epochSeconds: number;
}

/** For this machine's platform: from the product's own Node, with the executor's compiled code. */
export async function executableHere(product: Product, of: Of): Promise<ExecutableProduct> {
  const { file: path, blob } = await buildExecutable(join(of.work, "executable"), of);
  const native = product.entries.find((entry) => entry.path === "app/koffi.node");
  return together(of, "sallyport-executable", {
    program: file("sallyport", readFileSync(path), 0o755),
    blob: readFileSync(blob),
    native: native?.kind === "file" ? native.bytes : undefined,
    node: product.node,
    packages: product.packages,
  });
}

/**
 * For Windows x64, from what release/inputs.json names. Node's own signature is taken off: it would not fit any more. Without
 * compiled code, which only the platform itself could make.
 */
export async function executableForWindows(product: Product, of: Of): Promise<ExecutableProduct> {
  const { windows } = readInputs();
  if (windows.node.version !== plainNode().version)
    throw new Error("release/inputs.json names another Node than the lockfile: one's blob does not fit the other");
  const { node, koffi } = await windowsInputs(join(of.work, "inputs"));
  const bytes = readFileSync(node);
  const folder = join(of.work, "windows");
  mkdirSync(folder);
  const plain = join(folder, "node.exe");
  writeFileSync(plain, withoutSignature(bytes));
  const made = await buildExecutable(join(folder, "executable"), {
    ...{ ...of, node: plain, withCodeCache: false, name: "sallyport.exe" },
  });
  return together(of, "sallyport-windows", {
    program: file("sallyport.exe", readFileSync(made.file), 0o755),
    blob: readFileSync(made.blob),
    native: readFileSync(koffi),
    node: { version: windows.node.version, bytes },
    packages: product.packages.map((each) => (isNative(each) ? nativeForWindows(each) : each)),
  });
}

/** The FFI's binary is a package of its own for each platform. */
const isNative = ({ name }: Package): boolean => name.startsWith("@koromix/koffi-");

/** No dependency, so the lockfile does not know it; it has the licence of its siblings. */
function nativeForWindows(here: Package): Package {
  const { name, version, integrity } = readInputs().windows.koffi;
  if (version !== here.version)
    throw new Error(`release/inputs.json names ${name}@${version}, and the lockfile ${here.name}@${here.version}`);
  return { ...here, name, sha512: Buffer.from(integrity.replace("sha512-", ""), "base64").toString("hex") };
}

interface Parts {
  readonly program: Entry;
  readonly blob: Buffer;
  readonly native: Buffer | undefined;
  /** As it was before anything was put into it. */
  readonly node: { readonly version: string; readonly bytes: Buffer };
  readonly packages: readonly Package[];
}

function together(
  { version, epochSeconds }: Of,
  name: string,
  { program, blob, native, node, packages }: Parts,
): ExecutableProduct {
  const sbom = sbomOf({ name, version, epochSeconds, packages, node, inside: { name: RESOURCE, bytes: blob } });
  return {
    sbom,
    entries: [
      program,
      ...(native === undefined ? [] : [file("koffi.node", native)]),
      file("LICENSE", readFileSync(join(ROOT, "LICENSE"))),
      file("THIRD-PARTY-NOTICES.txt", noticesOf("Sallyport's agent", [...packages, nodePackage(node.version)])),
      file("sbom.cdx.json", sbom),
    ],
  };
}
