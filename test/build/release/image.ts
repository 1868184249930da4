/**
 * The container image (OCI image-spec 1.1): a root file system made from nothing, in one layer. The agent, Node, the libraries
 * that it is linked to, and three small programs: `env` for the command's first line, `prlimit` and `setpriv` for executors.
 */
import { join } from "node:path";
import { layoutIn } from "@sallyport/agent/src/install/layout.ts";
import { type Entry, file, folder, link } from "./entries.ts";
import { copyrightsOf, type SystemFile, systemFiles } from "./libraries.ts";
import { installedEntries, type Product } from "./product.ts";
import { sha256 } from "./sbom.ts";
import { gzipped, tar } from "./tar.ts";

/** Without a name service of its own an image counts in numbers. */
export const IMAGE_ID = 10001;
const PROGRAMS = ["/usr/bin/env", "/usr/bin/prlimit", "/usr/bin/setpriv"];

export interface RootFileSystem {
  readonly entries: readonly Entry[];
  readonly system: readonly SystemFile[];
}

export function rootFileSystem(product: Product): RootFileSystem {
  const { current, command, configuration, state } = layoutIn();
  const native = product.entries.some(({ path }) => path === "app/koffi.node");
  const system = systemFiles(PROGRAMS, [product.node.path, ...(native ? [nativeFile()] : [])]);
  const [owners, own] = [{ gid: IMAGE_ID }, { uid: IMAGE_ID, gid: IMAGE_ID }];
  const inState = (name: string): string => `${state}/${name}`.slice(1);
  return {
    system,
    entries: [
      ...installedEntries(product),
      ...[...system, ...copyrightsOf(system)].map(({ path, bytes, mode }) => file(path, bytes, mode)),
      link(current.slice(1), `versions/${product.version}`),
      link(command.slice(1), `${current}/app/sallyport.mjs`),
      file(
        "etc/passwd",
        `root:x:0:0:root:/:/sbin/nologin\nsallyport:x:${IMAGE_ID}:${IMAGE_ID}::${state}:/sbin/nologin\n`,
      ),
      file("etc/group", `root:x:0:\nsallyport:x:${IMAGE_ID}:\n`),
      file("etc/nsswitch.conf", "hosts: files dns\n"),
      // Mounted over by whoever runs it.
      ...["dev", "proc", "sys"].map((path) => folder(path)),
      folder("tmp", 0o1777),
      // As `service install` leaves them: a new volume takes over what lies at its place.
      folder(configuration.slice(1), 0o750, owners),
      folder(state.slice(1), 0o1770, owners),
      folder(inState("control"), 0o750, owners),
      ...["keys", "journal", "run"].map((name) => folder(inState(name), 0o700, own)),
    ],
  };
}

const nativeFile = (): string =>
  join(
    import.meta.dirname,
    "../../../node_modules/@koromix",
    `koffi-${process.platform}-${process.arch}/${process.platform}_${process.arch}/koffi.node`,
  );

export interface Image {
  /** What `ADD` takes: the layer, gzipped. */
  readonly layer: Buffer;
  /** An OCI layout as one tar, for `podman load`, `skopeo copy oci-archive:…` and `docker load`. */
  readonly archive: Buffer;
}

/** @param architecture as OCI names it: `amd64` */
export function imageOf(entries: readonly Entry[], version: string, architecture: string, epochSeconds: number): Image {
  const plain = tar(entries, { epochSeconds });
  const layer = gzipped(plain);
  const created = new Date(epochSeconds * 1000).toISOString();
  const config = json({
    architecture,
    os: "linux",
    created,
    config: {
      User: `${IMAGE_ID}:${IMAGE_ID}`,
      Env: ["PATH=/usr/bin"],
      Entrypoint: ["/usr/bin/sallyport"],
      Cmd: ["run"],
      WorkingDir: "/",
      StopSignal: "SIGTERM",
      Volumes: { "/etc/sallyport": {}, "/var/lib/sallyport": {} },
      Labels: LABELS(version, created),
      // Docker's own; others leave it out, and have probes.
      Healthcheck: {
        Test: ["CMD", "/usr/bin/sallyport", "ready"],
        ...SECONDS({ Interval: 30, Timeout: 10, StartPeriod: 60 }),
      },
    },
    rootfs: { type: "layers", diff_ids: [digest(plain)] },
    history: [{ created, created_by: "npm run release", comment: `sallyport ${version}` }],
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: descriptor("application/vnd.oci.image.config.v1+json", config),
    layers: [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
  });
  const annotations = {
    "org.opencontainers.image.ref.name": version,
    "io.containerd.image.name": `sallyport:${version}`,
  };
  const index = json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      {
        ...descriptor("application/vnd.oci.image.manifest.v1+json", manifest),
        platform: { architecture, os: "linux" },
        annotations,
      },
    ],
  });
  const blobs = [config, manifest, layer].map((bytes) => file(`blobs/sha256/${sha256(bytes)}`, bytes));
  const layout = [file("oci-layout", json({ imageLayoutVersion: "1.0.0" })), file("index.json", index), ...blobs];
  return { layer, archive: tar(layout, { epochSeconds }) };
}

const LABELS = (version: string, created: string) => ({
  "org.opencontainers.image.title": "sallyport",
  "org.opencontainers.image.description": "Sallyport's agent",
  "org.opencontainers.image.version": version,
  "org.opencontainers.image.created": created,
  "org.opencontainers.image.licenses": "Apache-2.0",
});

/** Docker counts in nanoseconds. */
const SECONDS = (each: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(each).map(([name, seconds]) => [name, seconds * 1e9]));

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const digest = (bytes: Buffer): string => `sha256:${sha256(bytes)}`;
const descriptor = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: digest(bytes), size: bytes.length });
