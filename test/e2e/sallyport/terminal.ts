/** A command in a pseudo-terminal, made by util-linux's `script`: it sees a terminal, and may be typed to. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

export interface Ran {
  readonly exitCode: number;
  /** Both outputs as they were shown, with LF; escapes as `\e[32m`. */
  readonly shown: string;
}

type Environment = Readonly<Record<string, string>>;

/** What is typed as soon as a question is shown. */
export interface Typed {
  readonly after: string;
  readonly text: string;
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** Runs it to its end in a terminal of 80 columns that knows colours. */
export async function inTerminal(command: readonly string[], environment: Environment, typed?: Typed): Promise<Ran> {
  const args = ["--quiet", "--return", "--command", command.map(quoted).join(" "), "/dev/null"];
  const child = spawn("script", args, {
    env: { PATH: process.env.PATH ?? "", TERM: "xterm", ...environment },
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (typed !== undefined) typeWhenAsked(child, typed);
  return await ended(child);
}

/** The same with both outputs in one pipe. */
export async function piped(command: readonly string[], environment: Environment): Promise<Ran> {
  const line = `exec ${command.map(quoted).join(" ")} 2>&1`;
  const child = spawn("sh", ["-c", line], {
    env: { PATH: process.env.PATH ?? "", ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  return await ended(child);
}

async function ended(child: ChildProcess): Promise<Ran> {
  const [shown, [exitCode]] = await Promise.all([text(child.stdout!), once(child, "close") as Promise<[number]>]);
  child.stdin?.destroy();
  return { exitCode, shown: shown.replaceAll("\r\n", "\n").replaceAll("\u001b", "\\e") };
}

/** Not sooner: what is typed before the question would be echoed by the terminal. */
function typeWhenAsked(child: ChildProcess, { after, text: words }: Typed): void {
  let seen = "";
  const look = (chunk: Buffer): void => {
    seen += chunk.toString();
    if (!seen.includes(after)) return;
    child.stdout!.off("data", look);
    child.stdin!.write(words);
  };
  child.stdout!.on("data", look);
}
