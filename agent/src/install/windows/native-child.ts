/**
 * Windows' calls for processes that hold keys and are open to the network: those load no FFI. They ask a child of their own program,
 * `sallyport service native`, one question on its standard input, and have the answer on its standard output.
 */
import { spawnSync } from "node:child_process";
import { z } from "zod";
import { childEnvironment } from "../../config.ts";
import { ConfigError, NotNowError } from "../../config-error.ts";
import { commandLine } from "../../program.ts";
import { SERVICE, UPDATE_SERVICE } from "./layout.ts";

const base64 = z.base64();

export const question = z.discriminatedUnion("ask", [
  z.strictObject({ ask: z.literal("protect"), bytes: base64 }),
  z.strictObject({ ask: z.literal("unprotect"), bytes: base64 }),
  z.strictObject({ ask: z.literal("lists"), paths: z.array(z.string()).max(10_000) }),
  z.strictObject({ ask: z.literal("makeFolder"), path: z.string(), sddl: z.string() }),
  z.strictObject({ ask: z.literal("token") }),
  z.strictObject({ ask: z.literal("dumps") }),
  z.strictObject({ ask: z.literal("service"), name: z.enum([SERVICE, UPDATE_SERVICE]) }),
  z.strictObject({ ask: z.literal("startUpdater") }),
]);
export type Question = z.infer<typeof question>;

const answer = z.union([
  z.strictObject({ bytes: base64 }),
  z.strictObject({ lists: z.array(z.string()) }),
  z.strictObject({ isNew: z.boolean() }),
  z.strictObject({ isAdministrators: z.boolean() }),
  z.strictObject({ keepsDumps: z.boolean() }),
  z.strictObject({ service: z.strictObject({ command: z.string(), state: z.string() }).nullable() }),
  z.strictObject({ isStarted: z.literal(true) }),
  z.strictObject({ failed: z.string() }),
]);
export type Answer = z.infer<typeof answer>;

/** Asks, and waits for the answer. @throws ConfigError with what Windows said; NotNowError where there is no answer, as on a machine that still boots */
export type Ask = (question: Question) => Answer;

const WITHIN_MS = 30_000;
const LONGEST_ANSWER_BYTES = 16 * 2 ** 20;

export const askNative: Ask = (asked) => {
  const { error, stdout } = spawnSync(process.execPath, [...commandLine(), "service", "native"], {
    ...{ input: JSON.stringify(asked), encoding: "utf8", timeout: WITHIN_MS, maxBuffer: LONGEST_ANSWER_BYTES },
    ...{ env: childEnvironment(), windowsHide: true },
  });
  return parseAnswer(stdout, error);
};

/** @throws NotNowError where there is none, ConfigError where it says what failed */
export function parseAnswer(text: string | null, error?: Error): Answer {
  const parsed = answer.safeParse(jsonOf(text ?? ""));
  if (!parsed.success)
    throw new NotNowError(`Windows could not be asked${error === undefined ? "" : `: ${error.message}`}`);
  if ("failed" in parsed.data) throw new ConfigError(parsed.data.failed);
  return parsed.data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the child does. Failures are answers, too. */
export async function answerNative(text: string): Promise<Answer> {
  try {
    const asked = question.parse(JSON.parse(text));
    switch (asked.ask) {
      case "protect": {
        const { protect } = await import("./dpapi.ts");
        return { bytes: protect(Buffer.from(asked.bytes, "base64")).toString("base64") };
      }
      case "unprotect": {
        const { unprotect } = await import("./dpapi.ts");
        return { bytes: unprotect(Buffer.from(asked.bytes, "base64")).toString("base64") };
      }
      case "lists": {
        const { readSddl } = await import("./security.ts");
        return { lists: asked.paths.map(readSddl) };
      }
      case "makeFolder": {
        const { makeFolder } = await import("./security.ts");
        return { isNew: makeFolder(asked.path, asked.sddl) };
      }
      case "token": {
        const { isOwnTokenAdministrators } = await import("./security.ts");
        return { isAdministrators: isOwnTokenAdministrators() };
      }
      case "dumps": {
        const { keepsDumps } = await import("./dumps.ts");
        return { keepsDumps: keepsDumps() };
      }
      case "service": {
        const { readConfiguration, readState } = await import("./control-manager.ts");
        const [configuration, now] = [readConfiguration(asked.name), readState(asked.name)];
        if (configuration === undefined || now === undefined) return { service: null };
        return { service: { command: configuration.command, state: now.state } };
      }
      case "startUpdater": {
        const { startService } = await import("./control-manager.ts");
        startService(UPDATE_SERVICE);
        return { isStarted: true };
      }
      default:
        return asked satisfies never;
    }
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) };
  }
}
