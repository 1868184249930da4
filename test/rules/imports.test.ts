import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { importersOf, mixedProcesses, wrongDirections } from "./imports.ts";
import { readSources } from "./source.ts";

const sources = readSources();

describe("imports point one way", () => {
  it("in this repository", () => assert.deepEqual(wrongDirections(sources), []));

  const planted = [
    ["cloud/src/a.ts", "../../infra/hooks/after-deploy.ts"],
    ["shared/src/a.ts", "@sallyport/agent/src/version.ts"],
    ["shared/src/a.ts", "@sallyport/shared/crypto/bytes.ts"],
    ["agent/src/cli/a.ts", "@sallyport/cloud/src/relay.ts"],
    ["agent/src/cli/a.ts", "@sallyport/test/emulators/relay/start.ts"],
    ["cloud/src/a.ts", "@sallyport/agent/src/version.ts"],
    ["cloud/src/a.ts", "../../shared/src/json.ts"],
    ["cloud/src/a.test.ts", "../../agent/src/version.ts"],
    ["cloud/src/store/a.ts", "../../../test/emulators/azurite/start.ts"],
    ["test/e2e/a.ts", "../../cloud/src/relay.ts"],
  ] as const;
  for (const [path, name] of planted) {
    it(`${path} may not import ${name}`, () => {
      for (const text of [`import { x } from "${name}";`, `await import("${name}");`, `export * from '${name}';`]) {
        assert.equal(wrongDirections([{ path, text }]).length, 1);
      }
    });
  }

  const allowed = [
    ["agent/src/cli/a.ts", "@sallyport/shared/crypto/bytes.ts"],
    ["agent/src/cli/a.ts", "../config.ts"],
    ["cloud/src/a.ts", "@sallyport/shared/json.ts"],
    ["test/e2e/a.ts", "@sallyport/agent/src/version.ts"],
    ["test/e2e/a.ts", "../emulators/relay/start.ts"],
    ["cloud/src/store/a.test.ts", "../../../test/emulators/azurite/start.ts"],
    ["agent/src/connectors/mssql/test-server.ts", "../../../../test/emulators/tds/start.ts"],
    ["shared/src/a.ts", "zod"],
  ] as const;
  for (const [path, name] of allowed) {
    it(`${path} may import ${name}`, () => {
      assert.deepEqual(wrongDirections([{ path, text: `import { x } from "${name}";` }]), []);
    });
  }
});

describe("the agent's two processes share folders of their own", () => {
  it("in this repository", () => assert.deepEqual(mixedProcesses(sources), []));
  it("a step from one into the other is seen, for a type too; a test may take it", () => {
    const text = 'import type { Meter } from "../executor/limits.ts"; import { x } from "../policy/file.ts";';
    const found = (path: string) => mixedProcesses([{ path, text }]);
    assert.deepEqual(found("agent/src/supervisor/a.ts"), [
      "agent/src/supervisor/a.ts imports agent/src/executor/limits.ts",
    ]);
    assert.equal(found("agent/src/journal/a.ts").length, 2);
    assert.deepEqual(found("agent/src/supervisor/a.test.ts"), []);
    assert.deepEqual(found("agent/src/executor/a.ts"), []);
    assert.deepEqual(found("cloud/src/supervisor/a.ts"), []);
  });
  it("each folder knows what it may not", () => {
    for (const [path, name] of [
      ["syslog/a.ts", "../supervisor/listener.ts"],
      ["masks/a.ts", "../connectors/connector.ts"],
      ["seal/a.ts", "../policy/file.ts"],
      ["executor/a.ts", "../seal/keys.ts"],
      ["supervisor/a.ts", "../cli/print.ts"],
      ["doctor/a.ts", "../cli/print.ts"],
    ]) {
      assert.equal(mixedProcesses([{ path: `agent/src/${path}`, text: `import "${name}";` }]).length, 1, path);
    }
  });
});

describe("packages that one file contains", () => {
  it("only the agent's hyco-ws channel imports hyco-ws", () => {
    assert.deepEqual(importersOf(sources, "hyco-ws"), ["agent/src/supervisor/channel-hyco.ts"]);
  });
  it("only the envelope imports hpke", () => {
    assert.deepEqual(importersOf(sources, "hpke"), ["shared/src/crypto/envelope.ts"]);
  });
  it("a second importer is seen, by a path into the package too; a test or a mere mention is none", () => {
    const files = [
      { path: "agent/src/a.ts", text: 'import x from "hyco-ws";' },
      { path: "cloud/src/b.ts", text: 'const x = await import("hyco-ws/lib/x.js");' },
      { path: "cloud/src/b.test.ts", text: 'import x from "hyco-ws";' },
      { path: "cloud/src/c.ts", text: '// from "hyco-ws"\nconst channel = "hyco-ws"; import y from "hyco-ws-other";' },
    ];
    assert.deepEqual(importersOf(files, "hyco-ws"), ["agent/src/a.ts", "cloud/src/b.ts"]);
  });
});
