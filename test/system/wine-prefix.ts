/** A Windows of a test's own, by Wine: a folder with a drive C and a registry. */
import { join } from "node:path";

/** Of any of Wine's commands; the first of a machine makes it. */
export const WINE_WITHIN_MS = 180_000;

/**
 * Makes the machine. Not `wineboot`, which the first command of a machine starts by itself: there would be two of them, and two
 * service control managers, of which one is asked and the other knows.
 */
export const FIRST_COMMAND = ["winecfg", "/v", "win10"] as const;

export const driveOf = (folder: string): string => join(folder, "prefix/drive_c");

/** What Wine's commands are started with, so that they mean the machine in this folder. */
export const wineEnvironment = (folder: string): NodeJS.ProcessEnv => ({
  ...{ PATH: process.env.PATH, HOME: folder, WINEPREFIX: join(folder, "prefix"), WINEARCH: "win64" },
  // No window, no menus, and none of the runtimes that it would offer to download for browsers and .NET.
  ...{ WINEDEBUG: "-all", WINEDLLOVERRIDES: "mscoree,mshtml=;winemenubuilder.exe=d", LC_ALL: "C.UTF-8" },
});

/** A path of ours as it is called there. */
export const windowsPath = (path: string): string => `Z:${path.replaceAll("/", "\\")}`;
