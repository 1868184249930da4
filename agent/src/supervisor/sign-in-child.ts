/** The process that signs in by Kerberos: the only one of the agent's that runs native code, started for one sign-in. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { parseJson } from "@sallyport/shared/json.ts";
import type { Logger } from "pino";
import { encodeLine, PIPE_FD, readLines } from "../pipe/lines.ts";
import { type FromSignIn, fromSignIn, MAX_SIGN_IN_LINE_BYTES } from "../pipe/sign-in-messages.ts";
import { READABLE_BY_SIGN_IN, SIGN_IN_MODULE } from "../program.ts";
import { confined } from "./executor-command.ts";
import type { SignInChild } from "./sign-in.ts";

/** The domain's key servers are asked one after the other, each for some seconds. */
const WITHIN_MS = 45_000;
const HEAP_MIB = 128;

/** @param command what is started instead: for tests */
export function startSignInChild(
  hear: (message: FromSignIn) => void,
  ended: () => void,
  log: Pick<Logger, "error">,
  command: readonly string[] = signInCommand(),
): SignInChild {
  const [execPath = "", ...args] = command;
  // What it prints could hold a login.
  let child: ChildProcess;
  try {
    child = spawn(execPath, args, { env: environment(), stdio: ["ignore", "ignore", "ignore", "pipe"] });
  } catch (error) {
    // Of no memory, or no right, Node tells at once and by no event.
    log.error({ why: (error as Error).message }, "a sign-in child could not be started");
    queueMicrotask(ended);
    return { send() {}, kill() {} };
  }
  const pipe = child.stdio[PIPE_FD] as Socket | undefined;
  const kill = (): void => {
    child.kill("SIGKILL");
  };
  const timer = setTimeout(kill, WITHIN_MS);
  const onLine = (text: string): void => {
    const parsed = fromSignIn.safeParse(parseJson(text));
    if (parsed.success) hear(parsed.data);
    else kill();
  };
  if (pipe !== undefined) readLines(pipe, MAX_SIGN_IN_LINE_BYTES, onLine, kill);
  pipe?.on("error", () => {});
  const over = (): void => {
    clearTimeout(timer);
    ended();
  };
  child.once("close", over);
  child.once("error", (error) => {
    log.error({ why: error.message }, "a sign-in child could not be started or reached");
    if (child.pid === undefined) over();
  });
  return {
    send(message) {
      if (pipe?.writable === true) pipe.write(encodeLine(message), () => {});
    },
    kill,
  };
}

/** Native code is bound by none of these flags: they hold what is JavaScript in there. */
const signInCommand = (): readonly string[] => {
  const flags = ["--permission", "--allow-addons", ...READABLE_BY_SIGN_IN.map((path) => `--allow-fs-read=${path}`)];
  const { execPath, execArgv } = confined([
    ...flags,
    ...["--no-experimental-sqlite", "--disable-sigusr1", `--max-old-space-size=${HEAP_MIB}`],
  ]);
  return [execPath, ...execArgv, SIGN_IN_MODULE];
};

/** Where this machine keeps its Kerberos configuration, if not in the usual place; tickets stay in memory. */
function environment(): NodeJS.ProcessEnv {
  const kept = process.platform === "win32" ? ["SystemRoot"] : ["KRB5_CONFIG"];
  const values = kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return { ...Object.fromEntries(values), KRB5CCNAME: "MEMORY:" };
}
