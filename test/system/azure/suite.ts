/** `npm start`'s main job with the settings that Azure would have: an identity in place of keys, a vault, Resource Manager, a domain. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentialName } from "@sallyport/cloud/src/secrets/credentials.ts";
import type { partsView } from "@sallyport/shared/schema/api.ts";
import type { z } from "zod";
import { startFunctionsHost } from "../../emulators/functions-host/start.ts";
import { bicepFiles, readInfra, settingNames } from "../../rules/infra.ts";
import { type Cleanup, createCleanup } from "../../stack/cleanup.ts";
import { type DemoResult, runDemo } from "../../stack/demo.ts";
import { call } from "../../stack/https.ts";
import { bundledIn } from "../../stack/program.ts";
import { runPull } from "../../stack/pull.ts";
import { createScreen } from "../../stack/screen.ts";
import { CONNECTION, SITE, type Stack, startStack, TENANT } from "../../stack/start.ts";
import { until } from "../processes.ts";
import type { Check, Suite } from "../suite.ts";
import { type Cloud, createCloud } from "./cloud.ts";

const FLIGHTS = 20_000;

export const azure: Suite = {
  name: "azure",
  about: "the main job with Azure's settings: identity, Key Vault, Resource Manager, a domain of one's own",
  run: async (check) => {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-azure-"));
    const cleanup = createCleanup();
    cleanup.add(folder, () => rmSync(folder, { recursive: true, force: true }));
    try {
      const cloud = createCloud();
      const program = await bundledIn(join(folder, "bundles"));
      const stack = await startStack({ folder, cleanup, program, reach: cloud });
      await checkAll(check, { stack, cloud, cleanup, app: program.app });
    } finally {
      await cleanup.run();
    }
  },
};

interface World {
  readonly stack: Stack;
  readonly cloud: Cloud;
  readonly cleanup: Cleanup;
  /** The function app's folder. */
  readonly app: string;
}

async function checkAll(check: Check, world: World): Promise<void> {
  const { stack, cloud, cleanup } = world;
  const { api } = stack;
  let result: DemoResult | undefined;
  await check("the settings are those that infra/ makes, and no one is a key", () => {
    const { NODE_EXTRA_CA_CERTS: _, ...env } = cloud.env();
    const given = new Set(Object.keys(env));
    const wanted = settingNames(bicepFiles(readInfra()));
    // The others of these are set only where there is a value.
    const optional = ["SALLYPORT_ENTRA_ISSUER", "SALLYPORT_ENTRA_AUDIENCE", "SALLYPORT_WEBHOOK_NETWORKS"];
    assert.deepEqual([...given].sort(), wanted.filter((name) => !optional.includes(name)).sort());
    assert.doesNotMatch(Object.values(env).join("\n"), /SharedAccessKey|AccountKey=|sp_admin_/);
  });
  await check("a pull of everything, then of what changed, on the bundles", async () => {
    const screen = createScreen(process.stdout, true);
    result = await Promise.race([runDemo(stack, screen, cleanup, FLIGHTS), stack.broken]);
    assert.deepEqual(
      result.runs.map(({ rows }) => rows),
      [FLIGHTS, 1_000],
    );
  });
  await check("requests are signed in the vault, and the credential is fetched from it for each session", () => {
    const asked = cloud.vault().asked.filter(({ status }) => status === 200);
    assert.ok(asked.filter(({ path }) => path.endsWith("/sign")).length >= 2);
    const secret = `/secrets/${credentialName(TENANT, CONNECTION)}`;
    assert.ok(asked.filter(({ method, path }) => method === "GET" && path.startsWith(secret)).length >= 2);
    assert.ok(asked.some(({ method, path }) => method === "PUT" && path === secret));
  });
  await check("links to results are signed by a user delegation key", async () => {
    const view = await api.get<z.infer<typeof partsView>>(`/tenants/${TENANT}/runs/${result?.run}/parts`);
    for (const { url } of view.parts) {
      const query = new URL(url).searchParams;
      assert.equal(query.get("skoid"), cloud.identity.principalId);
      assert.deepEqual([query.get("sp"), query.get("sr"), query.get("spr")], ["r", "b", "https"]);
    }
    assert.ok(view.parts.length > 0);
  });
  await check("the agent pinned the domain, not the function app's own name", () => {
    const yaml = readFileSync(join(stack.agent.stateDir, "agent.yaml"), "utf8");
    assert.match(yaml, new RegExp(`origin: ["']?${stack.origin}\\b`));
    assert.equal(stack.origin, cloud.env().SALLYPORT_ORIGIN);
  });
  await check("a busy vault and a busy Resource Manager delay, and break nothing", async () => {
    cloud.vault().refuseNext({ path: /\/sign$/, status: 429, times: 2, retryAfterSeconds: 0 });
    const { run } = await runPull(api, TENANT, "flights");
    assert.equal(run.state, "published", JSON.stringify(run.error));
    cloud.arm().refuseNext({ path: /hybridConnections/, status: 429, times: 2, retryAfterSeconds: 0 });
    await stack.addAgent("second");
    assert.ok(cloud.arm().asked.filter(({ status }) => status === 429).length === 2);
  });
  await check(
    "a hybrid connection is made at enrolment and deleted at revocation, through Resource Manager",
    async () => {
      const { id } = stack.agent;
      const calls = () => cloud.arm().asked.filter(({ path, status }) => path.endsWith(`/a-${id}`) && status === 200);
      assert.deepEqual(
        calls().map(({ method }) => method),
        ["PUT"],
      );
      await api.post(`/tenants/${TENANT}/sites/${SITE}/agents/${id}/revoke`, {});
      assert.deepEqual(
        calls().map(({ method }) => method),
        ["PUT", "DELETE"],
      );
    },
  );
  await check("an app whose role comes late starts by itself once it is there", () => lateRole(world));
  await check("an app with references that did not resolve names all of them, and nothing of their text", () =>
    unresolved(world),
  );
}

/** A second app, as after the first deployment: Azure does not know the vault's role yet. */
async function lateRole(world: World): Promise<void> {
  const { stack, cloud } = world;
  const { vaultRights } = cloud;
  const later = vaultRights.splice(0);
  const host = await startAnother(world, cloud.env());
  try {
    const status = async () => (await call(`${host.url}/api/health`, { ca: stack.caPem })).status;
    assert.notEqual(await status(), 200);
    vaultRights.push(...later);
    await until("the app answers", async () => (await status()) === 200);
  } finally {
    if (vaultRights.length === 0) vaultRights.push(...later);
    await host.close();
  }
}

async function unresolved(world: World): Promise<void> {
  const names = ["SALLYPORT_ADMIN_KEY_SHA256", "SALLYPORT_RELAY_LISTEN", "SALLYPORT_SIGNING_KEY"];
  const reference = "@Microsoft.KeyVault(SecretUri=https://mark-4711.vault.azure.net/secrets/x)";
  const { SALLYPORT_TABLES: _, ...env } = world.cloud.env();
  const broken = { ...env, ...Object.fromEntries(names.map((name) => [name, reference])) };
  const error = await startAnother(world, broken).then(
    (host) => host.close().then(() => undefined),
    (thrown: Error) => thrown,
  );
  assert.ok(error, "it started");
  for (const name of names) assert.match(error.message, new RegExp(`${name}: the Key Vault reference did not resolve`));
  assert.match(error.message, /SALLYPORT_TABLES: /);
  assert.doesNotMatch(error.message, /4711/);
}

const startAnother = ({ app, cloud }: World, env: Readonly<Record<string, string>>) =>
  startFunctionsHost({ app, tls: cloud.certificate(), identity: cloud.identity, env });
