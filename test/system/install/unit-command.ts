/** A unit's command with what its unit allows it, as far as a shell and setpriv(1) can: account, capabilities, what it may write, sockets. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Root, RootCommand } from "./root.ts";

/** @param unit `sallyport.service`, as it lies in the root */
export function commandOf({ folder }: Root, unit: string): RootCommand {
  const text = readFileSync(join(folder, "etc/systemd/system", unit), "utf8");
  const value = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1];
  const list = (key: string): string[] => (value(key) ?? "").split(" ").filter((each) => each !== "");
  const [uid, gid] = [value("User"), value("Group")];
  return {
    args: list("ExecStart"),
    ...(uid === undefined || gid === undefined ? {} : { user: { uid, gid } }),
    confinement: {
      // CAP_SETUID is setuid to setpriv.
      capabilities: list("CapabilityBoundingSet").map((each) => each.replace(/^CAP_/, "").toLowerCase()),
      writable: value("ProtectSystem") === "strict" ? list("ReadWritePaths") : ["/"],
      umask: value("UMask") ?? "0022",
      hasNetwork: value("PrivateNetwork") !== "yes",
    },
  };
}
