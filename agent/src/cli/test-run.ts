/** The command line as a person runs it: a process, its outputs piped. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));

/** Runs it to its end. */
export const sallyport = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", MAIN, ...args],
    {
      encoding: "utf8",
    },
  );
  return { status, stdout, stderr };
};
