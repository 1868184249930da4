/** Asking a person at the terminal, with or without showing what is typed; and reading a piped or a file's secret. */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { UsageError } from "./exit.ts";

/** One shown line. */
export async function askLine(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await lines.question(question)).trim();
  } finally {
    lines.close();
  }
}

/** One line that is not shown, or the first line of what is piped in. */
export async function askSecret(question: string): Promise<string> {
  if (!process.stdin.isTTY) return firstLine(await readAll());
  process.stderr.write(question);
  process.stdin.setRawMode(true);
  try {
    return await readTyped();
  } finally {
    process.stdin.setRawMode(false);
    process.stdin.pause();
    process.stderr.write("\n");
  }
}

/** The first line of a file; `-` is the standard input. */
export async function readSecretFile(file: string): Promise<string> {
  if (file === "-") return firstLine(await readAll());
  try {
    return firstLine(readFileSync(file, "utf8"));
  } catch {
    throw new UsageError(`${file} cannot be read`);
  }
}

const ENTER = /[\r\n]/;
const INTERRUPT = "\u0003";
const ERASE = /[\b\u007f]/;

async function readTyped(): Promise<string> {
  let typed = "";
  for await (const chunk of process.stdin) {
    for (const character of String(chunk)) {
      if (ENTER.test(character)) return typed.trim();
      if (character === INTERRUPT) throw new UsageError("cancelled");
      typed = ERASE.test(character) ? typed.slice(0, -1) : typed + character;
    }
  }
  return typed.trim();
}

async function readAll(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > 4096) throw new UsageError("the standard input is longer than an enrolment code");
  }
  return text;
}

const firstLine = (text: string): string => (text.split(/\r?\n/)[0] ?? "").trim();
