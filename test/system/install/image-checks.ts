/** The container image, run by Podman as compose.yaml says: its root read only, volumes of its own, no root, no capability. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "@sallyport/agent/src/version.ts";
import { IMAGE_ID } from "../../build/release/image.ts";
import { until } from "../processes.ts";
import type { Check } from "../suite.ts";
import type { World } from "../world.ts";
import { type Enrolled, enrol, setPolicy } from "./agent.ts";
import { areUnseen, ignoresForeignOptions, isConfined, isPowerless } from "./confinement.ts";
import { startMachine } from "./machine.ts";
import { podmanOn } from "./podman.ts";
import { type Release, runScript } from "./releases.ts";
import type { RunCommand } from "./root.ts";

const SITE = "container";
const NAME = "agent";
/** As `service install` has them, and the image's account. */
const ACCOUNT = { uid: `${IMAGE_ID}`, gid: `${IMAGE_ID}` };

export async function checkImage(check: Check, world: World, release: Release): Promise<void> {
  const folder = join(world.folder, "container");
  mkdirSync(folder);
  const machine = world.cleanup.add(await startMachine(folder), (it) => it.close());
  const podman = podmanOn(machine, release.path("compose.yaml"));
  const inRoot = (path: string): string => join(machine.root.folder, path);
  /** Where a volume lies, as seen from here. */
  const volume = async (name: string): Promise<string> =>
    inRoot((await podman("volume", "inspect", "--format={{.Mountpoint}}", name)).trim());
  /** A command of root's in a container that ends with it. */
  const asRoot: RunCommand = ({ args: [program, ...args], input, environment = {} }) =>
    podman.with(input)(
      ...["run", "--rm", "--interactive"],
      ...Object.entries(environment).map(([name, value]) => `--env=${name}=${value}`),
      ...podman.options("enroll"),
      `--entrypoint=${program}`,
      podman.image,
      ...args,
    );
  /** A command in the running one, by its account. */
  const inside: RunCommand = ({ args }) => podman("exec", NAME, ...args);
  const inspected = async (field: string): Promise<string> =>
    (await podman("inspect", `--format={{${field}}}`, NAME)).trim();
  let enrolled: Enrolled;
  /** @param starts how often it was started so far */
  const serving = async (starts: number): Promise<number> => {
    await until("it is online", async () => {
      const log = await podman.logs(NAME);
      if ((await inspected(".State.Running")) !== "true") throw new Error(`it has ended: ${log}`);
      return log.split("control channel online").length > starts;
    });
    const pid = machine.process(await inspected(".State.Pid")) ?? assert.fail("its process is not there");
    await world.stack.relay.listening(`a-${enrolled.agent}`);
    let said = "";
    const isHealthy = (): Promise<boolean> =>
      podman("healthcheck", "run", NAME).then(
        () => true,
        (error: Error) => {
          said = error.message;
          return false;
        },
      );
    await until("its health check passes", isHealthy).catch((error: Error) => {
      throw new Error(`${error.message}: ${said}`);
    });
    return pid;
  };

  await check("Podman takes the image, whose layer is the root file system that lies beside it", async () => {
    copyFileSync(release.path("-oci.tar"), inRoot("/tmp/oci.tar"));
    await podman("load", "--input=/tmp/oci.tar");
    const [{ Config: config }] = JSON.parse(await podman("image", "inspect", podman.image));
    assert.deepEqual([config.Entrypoint, config.Cmd], [["/usr/bin/sallyport"], ["run"]]);
    assert.equal(config.User, `${IMAGE_ID}:${IMAGE_ID}`);
    assert.deepEqual(await layersOf(release, join(folder, "oci")), [sha256(release.path("-rootfs.tar.gz"))]);
  });
  await check("enrolled by root, its keys are its account's and what decides is not", async () => {
    // A new volume takes over what the image has at its place.
    await asRoot({ args: ["/usr/bin/sallyport", "version"] });
    const configuration = await volume("configuration");
    enrolled = await enrol(world, asRoot, SITE, configuration, ["--account", "sallyport"]);
    await setPolicy(world, enrolled, configuration);
    const args = ["/usr/bin/sallyport", "enroll", "--unless-enrolled", "--json"];
    assert.deepEqual(JSON.parse(await asRoot({ args })), { enrolled: true });
  });
  await check("read only, without root and rights, it is ready and a pull runs through it", async () => {
    await podman("run", "--detach", `--name=${NAME}`, ...podman.options("agent"), podman.image);
    await serving(1);
    await world.pull(SITE);
    await assert.rejects(inside({ args: ["/usr/bin/sallyport", "policy", "init"] }));
  });
  await check("its executors are confined, and none of its processes can do more than its account", async () => {
    const pid = await serving(1);
    await isConfined(inside, pid, ACCOUNT, VERSION);
    await isPowerless(pid);
    areUnseen(pid, [...enrolled.secrets, world.password]);
  });
  await check("a foreign NODE_OPTIONS loads nothing", async () => {
    const state = await volume("state");
    writeFileSync(join(state, "evil.cjs"), `require("node:fs").writeFileSync("/var/lib/sallyport/loaded", "");\n`);
    await ignoresForeignOptions(asRoot, "/var/lib/sallyport/evil.cjs", () => existsSync(join(state, "loaded")));
  });
  await check("asked to stop, it ends with 0; started again, or after its power was cut, it serves again", async () => {
    await podman("stop", "--time=90", NAME);
    assert.equal(await inspected(".State.ExitCode"), "0", await podman.logs(NAME));
    await podman("start", NAME);
    await serving(2);
    await podman("kill", "--signal=KILL", NAME);
    await podman("wait", NAME);
    await podman("start", NAME);
    await serving(3);
    await world.pull(SITE);
    await podman("rm", "--force", "--time=90", NAME);
  });
}

/** The sums of the image's layers, once each blob from the index down is what its digest says (OCI image-spec 1.1). */
async function layersOf(release: Release, layout: string): Promise<string[]> {
  mkdirSync(layout);
  await runScript(`tar -xf '${release.path("-oci.tar")}' -C '${layout}'`);
  const blob = (digest: string): string => {
    const file = join(layout, "blobs/sha256", digest.replace("sha256:", ""));
    assert.equal(`sha256:${sha256(file)}`, digest);
    return file;
  };
  const read = (file: string) => JSON.parse(readFileSync(file, "utf8"));
  const index = read(join(layout, "index.json"));
  const manifest = read(blob(index.manifests[0].digest));
  blob(manifest.config.digest);
  return (manifest.layers as { digest: string }[]).map(({ digest }) => {
    blob(digest);
    return digest.replace("sha256:", "");
  });
}

const sha256 = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");
