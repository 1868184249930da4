/** The agent's own part on Windows: it runs from the folder of the version that it is, and asks for the updater's start itself. */
import { basename } from "node:path";
import { version } from "@sallyport/shared/release/version.ts";
import { platformName } from "../platform.ts";
import type { WatchDeps } from "../watch.ts";
import { wakeUpdater } from "./start.ts";

/** @param folder `…\\versions\\1.2.3` */
export const windowsAgent = (folder: string = import.meta.dirname): Required<Pick<WatchDeps, "platform" | "wake">> => ({
  platform: { name: platformName(), versionOf: () => version.safeParse(basename(folder)).data },
  wake: () => wakeUpdater(),
});
