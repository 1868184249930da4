import assert from "node:assert/strict";
import { execSync } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import tls from "node:tls";
import { parseStrictYaml } from "@sallyport/shared/strict-yaml.ts";
import { afterDeploy } from "../../infra/hooks/after-deploy.ts";
import { afterProvision } from "../../infra/hooks/after-provision.ts";
import { beforeProvision, NETWORK_PROVIDERS, PROVIDERS } from "../../infra/hooks/before-provision.ts";
import { ROOT } from "../build/root.ts";
import { startArm } from "../emulators/azure/arm/start.ts";
import { makeAccessToken } from "../emulators/functions-host/identity/token.ts";
import { makeAuthority } from "../emulators/tls/certificates.ts";
import { bicepFiles, readInfra } from "../rules/infra.ts";

interface AzureYaml {
  readonly services: {
    readonly api: {
      readonly project: string;
      readonly hooks: { readonly prepackage: Record<string, { run: string }> };
    };
  };
}

const PRINCIPAL = "33333333-3333-4333-8333-333333333333";

/** Resource Manager, and the hook's dependencies against it. */
async function before(t: TestContext, env: Record<string, string>, rights: readonly string[] = ["*"]) {
  const authority = await makeAuthority();
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), authority.caPem]);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const arm = await startArm({
    tls: await authority.issue({ names: ["localhost"] }),
    issuer: { jwk: publicKey.export({ format: "jwk" }) as never, rights: { [PRINCIPAL]: rights } },
  });
  t.after(() => arm.close());
  const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  const identity = { principalId: PRINCIPAL, clientId: PRINCIPAL, privateKeyPem };
  const said: string[] = [];
  const kept = new Map<string, string>();
  const run = () =>
    beforeProvision({
      env: { AZURE_SUBSCRIPTION_ID: "s", ...env },
      arm: arm.url,
      token: async () =>
        (await makeAccessToken(identity, "https://management.azure.com", Math.floor(Date.now() / 1000))).token,
      keep: async (name, value) => void kept.set(name, value),
      say: (line) => void said.push(line),
      pauseMs: 1,
    });
  const registered = () => arm.asked.filter(({ method }) => method === "POST").map(({ path }) => path.split("/")[4]);
  return { run, said, kept, registered };
}

describe("before provisioning", () => {
  it("providers are registered and waited for, and the first key is shown once while its hash is kept", async (t) => {
    const { run, said, kept, registered } = await before(t, {});
    await run();
    assert.deepEqual(registered(), PROVIDERS);
    const key = /sp_admin_[A-Za-z0-9_-]{43}/.exec(said.join("\n"))?.[0];
    assert.ok(key);
    assert.deepEqual([...kept], [["SALLYPORT_ADMIN_KEY_SHA256", createHash("sha256").update(key).digest("hex")]]);
    await run();
    assert.deepEqual(registered(), PROVIDERS, "what is registered is left alone");
  });
  it("a network needs more of them, and a key that was made stays", async (t) => {
    const env = { SALLYPORT_PRIVATE_NETWORK: "true", SALLYPORT_ADMIN_KEY_SHA256: "0".repeat(64) };
    const { run, said, kept, registered } = await before(t, env);
    await run();
    assert.deepEqual(registered(), [...PROVIDERS, ...NETWORK_PROVIDERS]);
    assert.equal(kept.size, 0);
    assert.doesNotMatch(said.join("\n"), /sp_admin_/);
  });
  it("who may not register is told which right is missing, and gets no key", async (t) => {
    const { run, kept } = await before(t, {}, []);
    await assert.rejects(run(), /403 about Microsoft.AlertsManagement.*register\/action/);
    assert.equal(kept.size, 0);
  });
  it("without a subscription it says how to give one, and asks nobody", async (t) => {
    const { run, kept, registered } = await before(t, { AZURE_SUBSCRIPTION_ID: "" });
    await assert.rejects(run(), /azd env set AZURE_SUBSCRIPTION_ID/);
    assert.deepEqual([kept.size, registered()], [0, []]);
  });
  it("every provider of the templates is on the list", () => {
    const used = bicepFiles(readInfra()).flatMap(({ statements }) =>
      statements
        .filter(({ keyword, existing }) => keyword === "resource" && !existing)
        .map(({ type }) => type.split("/")[0]!),
    );
    const always = new Set(["Microsoft.Authorization", "Microsoft.Resources"]); // registered in every subscription
    const missing = used.filter((name) => !always.has(name) && ![...PROVIDERS, ...NETWORK_PROVIDERS].includes(name));
    assert.deepEqual(missing, []);
  });
});

describe("before packing", () => {
  it("the service's hook reaches the build of the whole repository from the service's folder", () => {
    const { services } = parseStrictYaml(readFileSync(join(ROOT, "azure.yaml"), "utf8")) as AzureYaml;
    const { project, hooks } = services.api;
    const commands = Object.values(hooks.prepackage).map(({ run }) => run);
    assert.deepEqual(new Set(commands), new Set(["npm --prefix .. run build"]));
    // The same words, but for what they do: npm tells what `build` is where it looks.
    const told = execSync(commands[0]!.replace("run build", "pkg get scripts.build"), {
      cwd: join(ROOT, project),
      encoding: "utf8",
    });
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    assert.equal(JSON.parse(told), scripts.build);
  });
});

describe("after provisioning", () => {
  const env = { SALLYPORT_PRINCIPAL_ID: PRINCIPAL, AZURE_RESOURCE_GROUP: "rg-x", AZURE_SUBSCRIPTION_ID: "s" };
  const saidOf = (given: Record<string, string>) => {
    const said: string[] = [];
    afterProvision({ env: given, say: (line) => void said.push(line) });
    return said;
  };
  it("roles that were assigned are no matter", () => {
    assert.match(saidOf({ ...env, ROLES_TO_ASSIGN: "[]" }).join(), /Roles are assigned/);
    assert.match(saidOf(env).join(), /Roles are assigned/);
  });
  it("others are printed as commands, with a definition for those of our own", () => {
    const grants = [
      { role: "b7e6dc6d-f1e8-4753-8033-0f276bb0955b", scope: "/subscriptions/s/one" },
      { role: "Sallyport secrets", dataActions: ["Microsoft.KeyVault/vaults/secrets/getSecret/action"], scope: "/two" },
    ];
    const commands = saidOf({ ...env, ROLES_TO_ASSIGN: JSON.stringify(grants) }).filter((line) =>
      line.startsWith("az "),
    );
    assert.equal(commands.length, 3);
    assert.match(commands[0]!, /--role 'b7e6dc6d-.*' --scope '\/subscriptions\/s\/one'/);
    const definition = /--role-definition '(.*)'$/.exec(commands[1]!)![1]!;
    assert.deepEqual(JSON.parse(definition), {
      Name: "Sallyport secrets (rg-x)",
      Description: "Made for Sallyport's orchestrator.",
      Actions: [],
      DataActions: ["Microsoft.KeyVault/vaults/secrets/getSecret/action"],
      AssignableScopes: ["/subscriptions/s/resourceGroups/rg-x"],
    });
    assert.match(commands[2]!, /--role 'Sallyport secrets \(rg-x\)'/);
  });
  it("without azd's environment it says what is missing", () => {
    assert.throws(() => saidOf({ ROLES_TO_ASSIGN: '[{"role":"a","scope":"b"}]' }), /SALLYPORT_PRINCIPAL_ID/);
  });
});

describe("after deploying", () => {
  /** An app whose answers come one after the other; the last one stays. */
  async function app(t: TestContext, answers: readonly (readonly [status: number, body?: unknown])[]) {
    const left = [...answers];
    const server = createServer((request, response) => {
      const [status, body] = left.length > 1 ? left.shift()! : left[0]!;
      if (request.url === "/api/health") response.writeHead(status).end(body === undefined ? "" : JSON.stringify(body));
      else response.writeHead(404).end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const said: string[] = [];
    const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const run = (tries: number, origin = "") =>
      afterDeploy({ uri, origin, say: (line) => void said.push(line), pauseMs: 1, tries });
    return { run, said };
  }
  it("it waits until nothing is wrong, and says what to do next", async (t) => {
    const missing = { code: "secrets.unavailable" };
    const wrong = { status: "failing", wrong: ["storage.tables", "relay.no_token"] };
    const { run, said } = await app(t, [
      [503, missing],
      [503, missing],
      [503, wrong],
      [200, { status: "ok", wrong: [] }],
    ]);
    await run(10, "https://pulls.contoso.test");
    assert.deepEqual(said.slice(0, 2), [
      "Waiting: health is 503 (secrets.unavailable)",
      "Waiting: health is 503 (storage.tables, relay.no_token)",
    ]);
    assert.match(
      said.join("\n"),
      /sallyportctl login --url https:\/\/pulls\.contoso\.test {2,}\(asks for the admin key\)\n/,
    );
  });
  it("it gives up with the last answer", async (t) => {
    const { run } = await app(t, [[500]]);
    await assert.rejects(run(3), /does not answer yet: health is 500\. docs\/azure\.md/);
    const none = { say: () => undefined, pauseMs: 1, tries: 1 };
    await assert.rejects(afterDeploy({ ...none, uri: undefined, origin: undefined }), /SERVICE_API_URI/);
    await assert.rejects(afterDeploy({ ...none, uri: "http://127.0.0.1:1", origin: undefined }), /does not answer yet/);
  });
});
