/**
 * Where a release comes from, as an in-toto statement (v1, https://in-toto.io/Statement/v1) with SLSA's provenance (v1,
 * https://slsa.dev/spec/v1.0/provenance): what was made, from which commit, lockfile and inputs, with which settings. SHA256SUMS
 * covers it, and so does the publisher's signature. It says no time and no machine: the same release says the same.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../root.ts";
import { type Input, readInputs } from "./inputs.ts";
import { sha256 } from "./sbom.ts";

export interface Subject {
  readonly name: string;
  readonly sha256: string;
}

/** What whoever started the build decided; no name of a key's file. */
export interface Decided {
  readonly windows: boolean;
  readonly signed: boolean;
  readonly authenticode: boolean;
  readonly sourceDateEpoch: number;
}

/** The sources: a commit, where the folder holds just that. */
export interface Sources {
  readonly commit: string | undefined;
}

/** URIs that name and are not meant to be fetched. */
const BUILD_TYPE = "urn:sallyport:npm-run-release:v1";
const BUILDER = "urn:sallyport:release-machine";

/** @param subjects every artefact but this statement, SHA256SUMS and signatures */
export function provenanceOf(subjects: readonly Subject[], decided: Decided, { commit }: Sources): string {
  const { windows } = readInputs();
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject: subjects.map(({ name, sha256: sum }) => ({ name, digest: { sha256: sum } })),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: { ...decided },
        internalParameters: {},
        resolvedDependencies: [
          ...(commit === undefined ? [] : [{ uri: "git+file:sallyport", digest: { gitCommit: commit } }]),
          ownFile("package-lock.json"),
          ownFile("release/inputs.json"),
          ...(decided.windows ? [windows.node, windows.koffi].map(fromRegistry) : []),
        ],
      },
      runDetails: {
        builder: { id: BUILDER, version: { node: process.versions.node } },
        metadata: {},
      },
    },
  };
  return `${JSON.stringify(statement, null, 1)}\n`;
}

const ownFile = (path: string) => ({ uri: `file:${path}`, digest: { sha256: sha256(readFileSync(join(ROOT, path))) } });

function fromRegistry({ name, version, integrity }: Input) {
  const sum = Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex");
  return { uri: `pkg:npm/${name.replace("@", "%40")}@${version}`, digest: { sha512: sum } };
}

/** Without a commit where there is no repository, or where a file is not as the commit has it: then nobody could say so. */
export function sourcesIn(folder: string = ROOT): Sources {
  const git = (...args: readonly string[]): string =>
    execFileSync("git", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    // Not that of a repository further up, in which these sources are a folder.
    if (git("rev-parse", "--show-prefix") !== "") return { commit: undefined };
    const commit = git("rev-parse", "--verify", "HEAD");
    return { commit: git("status", "--porcelain") === "" ? commit : undefined };
  } catch {
    return { commit: undefined };
  }
}
