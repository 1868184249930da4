/**
 * Where an installation lies on Linux: one folder a version, one link that says which of them runs, and apart from the
 * program the owner's files and the agent's own (Filesystem Hierarchy Standard 3.0, /opt, /etc, /var/lib).
 */
import { join } from "node:path";

/** Absolute paths, or paths below another root: of an image, of a test. */
export interface Layout {
  /** Root's alone to change; everybody may read and run what is in it. */
  readonly program: string;
  /** Each version in a folder of its own, `versions/1.2.3`, so that an update takes nothing away from what runs. */
  readonly versions: string;
  /** A link to one of them, relative (`versions/1.2.3`). Renaming a new link over it is the whole switch. */
  readonly current: string;
  /** A link to `current`'s command. */
  readonly command: string;
  /** agent.yaml and policy.yaml: root's, readable by the service's group. */
  readonly configuration: string;
  /** Keys, journal and all else that the agent writes. */
  readonly state: string;
  /** The unit that `service install` and the package write. */
  readonly unit: string;
}

/** The account and the group that the service runs as, unless its owner chose another. */
export const ACCOUNT = "sallyport";
export const UNIT = "sallyport.service";

/** @param root `/`, unless the installation is of an image or a test */
export function layoutIn(root = "/"): Layout {
  const program = join(root, "opt/sallyport");
  return {
    program,
    versions: join(program, "versions"),
    current: join(program, "current"),
    command: join(root, "usr/bin/sallyport"),
    configuration: join(root, "etc/sallyport"),
    state: join(root, "var/lib/sallyport"),
    unit: join(root, "etc/systemd/system", UNIT),
  };
}

export const LAYOUT: Layout = layoutIn();

/** What one version's folder holds. */
export interface VersionFolder {
  readonly root: string;
  /** Node itself, plain. */
  readonly node: string;
  /** The bundle, and nothing else: an executor may read this folder only. */
  readonly app: string;
  /** What `sallyport` runs: `node app/sallyport.mjs`, executable by its first line. */
  readonly main: string;
}

/** @param version as package.json has it: `1.2.3` */
export function versionFolder({ versions }: Layout, version: string): VersionFolder {
  const root = join(versions, version);
  const app = join(root, "app");
  return { root, node: join(root, "node"), app, main: join(app, "sallyport.mjs") };
}
