/** An updater that dies in the middle: `kill -9` at the moment when it asks systemd for something. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "./machine.ts";

/** The next start of the updater ends when it says this to systemctl, which then does nothing. Until the machine's next start. */
export async function killUpdaterAt({ root, run }: Machine, words: string): Promise<void> {
  const file = join(root.folder, "run/systemctl-that-kills");
  writeFileSync(file, KILLS(words));
  chmodSync(file, 0o755);
  const swap = "cp /usr/bin/systemctl /run/systemctl && mount --bind /run/systemctl-that-kills /usr/bin/systemctl";
  await run({ args: ["/bin/sh", "-c", swap] });
}

const KILLS = (words: string): string => `#!/bin/sh
case "$*" in
  *"${words}") if grep -q updater.mjs "/proc/$PPID/cmdline"; then kill -9 $PPID; exit 1; fi ;;
esac
exec /run/systemctl "$@"
`;
