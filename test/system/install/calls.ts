/** System calls: what the unit's filter lets through, and what an agent in its work asks for. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { status, until } from "../processes.ts";

/** Calls that the `SystemCallFilter=` lines allow, in their order (systemd.exec(5)); sets as this machine's systemd has them. */
export function allowedCalls(unit: string): Set<string> {
  const sets = readSets();
  const named = (name: string): string[] => (name.startsWith("@") ? (sets.get(name) ?? []).flatMap(named) : [name]);
  // Always allowed where a list allows.
  const allowed = new Set(named("@default"));
  for (const [, not, names] of unit.matchAll(/^SystemCallFilter=(~?)(.*)$/gm)) {
    for (const call of names!.split(" ").flatMap(named)) {
      if (not === "~") allowed.delete(call);
      else allowed.add(call);
    }
  }
  return allowed;
}

function readSets(): Map<string, string[]> {
  const printed = execFileSync("systemd-analyze", ["syscall-filter", "--no-pager"], {
    encoding: "utf8",
    // It remarks that it cannot see which calls no set has.
    stdio: ["ignore", "pipe", "ignore"],
  });
  const sets = new Map<string, string[]>();
  let members: string[] = [];
  for (const line of printed.split("\n")) {
    const name = /^@\S+/.exec(line)?.[0];
    if (name !== undefined) {
      members = [];
      sets.set(name, members);
    } else if (/^ {4}[@a-z0-9_-]+$/.test(line)) members.push(line.trim());
  }
  return sets;
}

/** What the process and its children ask for while `act` runs (strace(1), `-c`). */
export async function callsDuring(pid: number, file: string, act: () => Promise<unknown>): Promise<Set<string>> {
  const strace = spawn("strace", ["-f", "-qq", "-c", "-o", file, "-p", `${pid}`], { stdio: "ignore" });
  const ended = once(strace, "exit");
  await until("strace holds the agent", () => /^TracerPid:\s+[1-9]/m.test(status(pid)));
  await act();
  strace.kill("SIGINT");
  await ended;
  const rows = readFileSync(file, "utf8").matchAll(/^\s*[\d.]+\s.*\s(\w+)$/gm);
  return new Set([...rows].map(([, name]) => name!).filter((name) => name !== "total"));
}
