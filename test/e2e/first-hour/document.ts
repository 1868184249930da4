/** A document whose `console` blocks are commands with what they print; it is run, and it can be written anew. */
import { readFileSync, writeFileSync } from "node:fs";

export interface Step {
  /** `$` on the customer's machine, `platform$` at the platform team's. */
  readonly prompt: "$" | "platform$";
  /** One command, with what a here-document holds. */
  readonly command: string;
  /** What it prints, both outputs; every line with its LF. */
  readonly prints: string;
}

const BLOCK = /^```console\n([\s\S]*?)^```$/gm;
const PROMPT = /^(platform\$|\$) (.*)$/;

/** The steps of all blocks, in their order. @throws Error for a block that begins with an output */
export function readSteps(text: string): Step[] {
  return [...text.matchAll(BLOCK)].flatMap(([, body = ""]) => stepsIn(body.split("\n").slice(0, -1)));
}

function stepsIn(lines: readonly string[]): Step[] {
  const steps: { prompt: Step["prompt"]; command: string; prints: string }[] = [];
  let end: string | undefined;
  for (const line of lines) {
    const last = steps.at(-1);
    if (end !== undefined && last !== undefined) {
      last.command += `\n${line}`;
      if (line === end) end = undefined;
      continue;
    }
    const [, prompt, command] = PROMPT.exec(line) ?? [];
    if (prompt !== undefined && command !== undefined) {
      steps.push({ prompt: prompt as Step["prompt"], command, prints: "" });
      end = /<< *'?([A-Z]+)'?$/.exec(command)?.[1];
    } else if (last === undefined) throw new Error(`the block begins with an output: ${line}`);
    else last.prints += `${line}\n`;
  }
  return steps;
}

/** The document with other outputs, one for each step. */
export function withOutputs(text: string, steps: readonly Step[]): string {
  const left = [...steps];
  return text.replace(BLOCK, (_, body: string) => {
    const mine = left.splice(0, stepsIn(body.split("\n").slice(0, -1)).length);
    return `\`\`\`console\n${mine.map(({ prompt, command, prints }) => `${prompt} ${command}\n${prints}`).join("")}\`\`\``;
  });
}

/** A table of `doctor` whose cells have other widths by now, with its columns under each other again. */
export function aligned(prints: string): string {
  if (!prints.startsWith("COMPONENT")) return prints;
  const lines = prints.split("\n");
  const end = lines.findIndex((line, at) => at > 0 && !/ {2}(ok|warn|FAIL) {2}/.test(line));
  const rows = lines.slice(0, end).map((line) => line.split(/ {2,}/));
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  return [...table, ...lines.slice(end)].join("\n");
}

export const readDocument = (file: URL): string => readFileSync(file, "utf8");
export const writeDocument = (file: URL, text: string): void => writeFileSync(file, text);
