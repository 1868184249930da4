/** What Windows' service control manager keeps of the two services, in a file of the test's: the updater changes it, and may be killed. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Change } from "@sallyport/agent/src/install/windows/control-manager.ts";
import {
  HOST_ARGUMENTS,
  SERVICE,
  UPDATE_HOST_ARGUMENTS,
  UPDATE_SERVICE,
} from "@sallyport/agent/src/install/windows/layout.ts";
import { type UpdatePlaces, updatePlaces } from "@sallyport/agent/src/update/places.ts";
import { linksPlatform, type Platform } from "@sallyport/agent/src/update/platform.ts";
import { PROGRAM } from "@sallyport/agent/src/update/windows/command.ts";
import { windowsPlatform } from "@sallyport/agent/src/update/windows/platform.ts";

interface Registered {
  readonly command: string;
  readonly startsWithMachine: boolean;
}
type All = Readonly<Record<string, Registered>>;

const fileIn = (root: string): string => join(root, "services.json");
const read = (root: string): All => JSON.parse(readFileSync(fileIn(root), "utf8")) as All;
function write(root: string, all: All): void {
  writeFileSync(`${fileIn(root)}.new`, JSON.stringify(all));
  renameSync(`${fileIn(root)}.new`, fileIn(root));
}

export const hasServices = (root: string): boolean => existsSync(fileIn(root));

/** As `service install` makes them, for a program of this version. */
export function register(root: string, versions: string, version: string): void {
  const program = `"${join(versions, version, PROGRAM)}"`;
  write(root, {
    [SERVICE]: { command: [program, ...HOST_ARGUMENTS, "--insecure-files"].join(" "), startsWithMachine: true },
    [UPDATE_SERVICE]: { command: [program, ...UPDATE_HOST_ARGUMENTS].join(" "), startsWithMachine: false },
  });
}

export const registered = (root: string) => ({
  readConfiguration(name: string) {
    const found = read(root)[name];
    return found === undefined ? undefined : { ...found, account: "LocalSystem" };
  },
  changeService(name: string, change: Change): void {
    const all = read(root);
    const found = all[name];
    if (found === undefined) throw new Error(`there is no service ${name}`);
    write(root, { ...all, [name]: { ...found, ...change } });
  },
});

/** The places of an installation as Windows has it, below a folder of the test's. */
export const placesOfServices = (layout: Parameters<typeof updatePlaces>[0]): UpdatePlaces => ({
  ...updatePlaces(layout),
  ...{ current: SERVICE, updater: UPDATE_SERVICE },
});

/** Windows' way with versions; whose a file is, is told by modes here. */
export const platformOfServices = (root: string, places: UpdatePlaces): Platform =>
  windowsPlatform(registered(root), places, linksPlatform.isOwners);
