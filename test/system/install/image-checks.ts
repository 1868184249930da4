/** The container image, run as a runtime would: its root read only, volumes of its own, no root, no capability. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "@sallyport/agent/src/version.ts";
import type { Check } from "../suite.ts";
import type { World } from "../world.ts";
import { type Enrolled, enrol, type Running, setPolicy, start } from "./agent.ts";
import { areUnseen, ignoresForeignOptions, isConfined, isPowerless } from "./confinement.ts";
import { type Release, runScript } from "./releases.ts";
import { addDevices, type Root, runIn, write } from "./root.ts";

const SITE = "container";

export async function checkImage(check: Check, world: World, release: Release): Promise<void> {
  const folder = join(world.folder, "image");
  const volumes = join(world.folder, "volumes");
  const config = await unpack(release, folder, volumes, world.folder);
  const [user = "", group = ""] = config.User.split(":");
  const [configuration, state] = [join(volumes, "configuration"), join(volumes, "state")];
  const root: Root = { folder, mounts: mountsOf(folder, configuration, state, true) };
  const asRoot: Root = { folder, mounts: mountsOf(folder, configuration, state, false) };
  let enrolled: Enrolled;
  let agent: Running;

  await check("every blob of the image is what its digest says, and the layer is the root file system", () => {
    assert.equal(config.digest, sha256(readFileSync(release.path("-rootfs.tar.gz"))));
    assert.deepEqual([config.Entrypoint, config.Cmd], [["/usr/bin/sallyport"], ["run"]]);
    assert.notEqual(Number(user), 0);
  });
  await check("enrolled by root, its keys are its account's and what decides is not", async () => {
    enrolled = await enrol(world, asRoot, SITE, configuration, ["--account", "sallyport"]);
    await setPolicy(world, enrolled, configuration);
    const args = ["/usr/bin/sallyport", "enroll", "--unless-enrolled", "--json"];
    assert.deepEqual(JSON.parse(await runIn(asRoot, { args })), { enrolled: true });
  });
  await check("read only, without root and rights, it is ready and a pull runs through it", async () => {
    const command = { args: [...config.Entrypoint, ...config.Cmd], user: { uid: user, gid: group } };
    agent = await start(world, root, enrolled.agent, command);
    await world.pull(SITE);
    const [, ...healthcheck] = config.Healthcheck.Test;
    assert.match(await runIn(root, { args: healthcheck, user: command.user }), /^ready/);
    await assert.rejects(runIn(root, { args: ["/usr/bin/sallyport", "policy", "init"], user: command.user }));
  });
  await check("its executors are confined, and none of its processes can do more than its account", async () => {
    await isConfined(root, agent.process.pid!, { uid: user, gid: group }, VERSION);
    await isPowerless(agent.process.pid!);
    areUnseen(agent.process.pid!, [...enrolled.secrets, world.password]);
  });
  await check("a foreign NODE_OPTIONS loads nothing", async () => {
    writeFileSync(join(state, "evil.cjs"), `require("node:fs").writeFileSync("/var/lib/sallyport/loaded", "");\n`);
    await ignoresForeignOptions(asRoot, "/var/lib/sallyport/evil.cjs", () => existsSync(join(state, "loaded")));
  });
  await check("asked to stop, it ends with 0", async () => {
    assert.equal(await agent.stop(), 0, agent.log());
  });
}

interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Healthcheck: { readonly Test: readonly string[] };
  /** Of the layer, as the manifest names it. */
  readonly digest: string;
}

/** As a runtime does: checks digests from the index down, unpacks the layer, and fills new volumes from it. */
async function unpack(release: Release, folder: string, volumes: string, work: string): Promise<ImageConfig> {
  const layout = join(work, "oci");
  for (const each of [folder, volumes, layout]) mkdirSync(each);
  await runScript(`tar -xf '${release.path("-oci.tar")}' -C '${layout}'`);
  const blob = (digest: string): Buffer => {
    const bytes = readFileSync(join(layout, "blobs/sha256", digest.replace("sha256:", "")));
    assert.equal(`sha256:${sha256(bytes)}`, digest);
    return bytes;
  };
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  const manifest = JSON.parse(blob(index.manifests[0].digest).toString());
  const { config, rootfs } = JSON.parse(blob(manifest.config.digest).toString());
  const [layer] = manifest.layers as { digest: string }[];
  blob(layer!.digest);
  const file = join(layout, "blobs/sha256", layer!.digest.replace("sha256:", ""));
  assert.equal(rootfs.diff_ids.length, 1);
  await runScript(`tar -xzf '${file}' -C '${folder}' --same-owner`);
  addDevices(folder);
  write({ folder, mounts: [] }, "/etc/hosts", "127.0.0.1 localhost\n");
  for (const [name, path] of [
    ["configuration", "etc/sallyport"],
    ["state", "var/lib/sallyport"],
  ] as const)
    await runScript(`cp -a '${join(folder, path)}' '${join(volumes, name)}'`);
  return { ...config, digest: layer!.digest.replace("sha256:", "") };
}

/** Whatever is not a volume is read only; the owner's volume is so for the agent. */
const mountsOf = (folder: string, configuration: string, state: string, isAgent: boolean): string[] => [
  `mount --bind '${folder}' '${folder}'`,
  `mount --bind '${configuration}' '${folder}/etc/sallyport'`,
  ...(isAgent ? [`mount -o remount,bind,ro '${folder}/etc/sallyport'`] : []),
  `mount --bind '${state}' '${folder}/var/lib/sallyport'`,
  `mount -t proc proc '${folder}/proc'`,
  `mount -o remount,bind,ro '${folder}'`,
];

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
