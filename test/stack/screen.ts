/** What a person sees of a start: steps with their times, a bar that moves, and nothing of it with `--json`. */

export interface Screen {
  /** A line that stays. */
  say(line?: string): void;
  /** A line that the next one replaces, on a terminal; elsewhere it is not shown. */
  progress(line: string): void;
  /** The same, but elsewhere it is a line that stays: for what comes a few times only. */
  step(line: string): void;
}

const CLEAR_LINE = "\r\u001b[2K";

export function createScreen(out: NodeJS.WriteStream, quiet: boolean): Screen {
  const moves = out.isTTY && !quiet;
  let open = false;
  const say = (line = "") => {
    if (quiet) return;
    out.write(`${open ? CLEAR_LINE : ""}${line}\n`);
    open = false;
  };
  const progress = (line: string) => {
    if (!moves) return;
    out.write(`${CLEAR_LINE}${line}`);
    open = true;
  };
  return { say, progress, step: moves ? progress : say };
}

const WIDTH = 28;

/** `[#####.....] 50,000 of 100,000 rows` */
export function bar(done: number, total: number, what: string): string {
  const filled = Math.min(WIDTH, Math.floor((done / total) * WIDTH));
  return `  [${"#".repeat(filled)}${".".repeat(WIDTH - filled)}] ${count(done)} of ${count(total)} ${what}`;
}

export const count = (value: number): string => value.toLocaleString("en-US");
/** `4.3 MB`, `23 kB`. */
export const size = (bytes: number): string =>
  bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
export const seconds = (value: number): string => `${value.toFixed(1)} s`;
