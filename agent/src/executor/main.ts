/**
 * An executor's process: serves one session and ends. Nothing of it is loaded before it is sure that it is confined: without
 * the permission model, or with the right to write or to start processes, it exits 78.
 */
import { loadScript } from "./load.ts";

const permission = process.permission;
if (permission === undefined || permission.has("fs.write") || permission.has("child")) process.exit(78);
// An error's text may hold a credential; nothing is printed, the exit code says enough.
process.on("uncaughtException", () => process.exit(70));
process.on("unhandledRejection", () => process.exit(70));

void loadScript()
  .then(({ serveOneSession }) => serveOneSession())
  .then(() => process.exit(0));
