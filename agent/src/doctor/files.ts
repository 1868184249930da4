/** Whose files the agent's are: nobody else reads its keys, and it cannot change its own policy or program. */
import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { isOpenToOthers } from "@sallyport/shared/closed-file.ts";
import { docsPage } from "../docs-page.ts";
import { type Ask, askNative } from "../install/windows/native-child.ts";
import { installationFaults } from "../install/windows/own-lists.ts";
import type { StatePaths } from "../state.ts";

import { isChangeable, type Rights } from "../supervisor/files.ts";
import { changeableFiles } from "../supervisor/files-windows.ts";
import type { Check, Verdict } from "./check.ts";

/** @param program what the agent's account must not be able to change, beside policy.yaml */
export function checkFiles(paths: StatePaths, program: readonly string[], isRunning: boolean): Check {
  return {
    ...{ id: "files", component: "files", target: paths.root },
    async look() {
      if (process.platform === "win32") return closed(paths, (of) => faultsOf(of, program));
      return open(paths) ?? changeable(paths, program, isRunning);
    },
  };
}

/** Undefined where it is no installation. */
function faultsOf(paths: StatePaths, program: readonly string[]): readonly string[] | undefined {
  const faults = installationFaults(paths);
  return faults && [...faults, ...changeableFiles(program)];
}

/** By the lists of Windows, which `service install` sets. */
export function closed(paths: StatePaths, faultsOf = installationFaults, ask: Ask = askNative): Verdict {
  const faults = faultsOf(paths);
  if (faults === undefined) {
    const advice = `Install it as a service, or compare the rights of ${paths.root} with ${docsPage("hardening.md")} by hand.`;
    return { status: "warn", details: "rights are looked at in an installation only", advice };
  }
  if (faults.length === 0) {
    const answer = ask({ ask: "dumps" });
    if ("keepsDumps" in answer && answer.keepsDumps) {
      const advice = `A dump of an executor holds a credential: remove LocalDumps from the registry (${docsPage("hardening.md")}).`;
      return { status: "warn", details: "Windows keeps dumps of programs that crash", advice };
    }
    return { status: "ok", details: "keys are the service's, policy and program are not" };
  }
  return {
    status: "FAIL",
    details: shortened(faults),
    advice: "`sallyport service install` mends them, or says what it does not; the service does not start before.",
  };
}

/** Secrets, and what says how to reach them. */
const secretsOf = (paths: StatePaths): readonly string[] => [
  paths.keys,
  ...(existsSync(paths.keys) ? readdirSync(paths.keys).map((name) => join(paths.keys, name)) : []),
  paths.usage,
  paths.maskKey,
];

/** It may hold the proxy's login: the agent's own group may read it, as the agent's account may not change it. */
function isConfigOpen({ config, identity }: StatePaths): boolean {
  if (!existsSync(config)) return false;
  const { mode, gid } = statSync(config);
  const isGroupOwn = existsSync(identity) && statSync(identity).gid === gid;
  return isOpenToOthers({ mode: isGroupOwn ? mode & ~0o040 : mode });
}

function open(paths: StatePaths): Verdict | undefined {
  const found = secretsOf(paths).filter((file) => existsSync(file) && isOpenToOthers(statSync(file)));
  if (found.length === 0 && isConfigOpen(paths)) {
    const advice = `chown it to root and the agent's group, chmod 640 ${paths.config}; it may hold the proxy's login.`;
    return { status: "FAIL", details: `others can read or change ${paths.config}`, advice };
  }
  if (found.length === 0) return undefined;
  return {
    status: "FAIL",
    details: `others can read ${found.join(", ")}`,
    advice: `chmod go-rwx ${found.join(" ")}, and think about enrolling again: who read an identity can be this agent; who read mask.key can guess what was hashed.`,
  };
}

function changeable(paths: StatePaths, program: readonly string[], isRunning: boolean): Verdict {
  const account = statSync(paths.identity).uid;
  if (account === 0) {
    const advice = `Give it an account of its own (${docsPage("hardening.md")}): root can change its policy and its program.`;
    return { status: "warn", details: "the agent's files are root's", advice };
  }
  const rights = rightsOf(account, statSync(paths.identity).gid);
  const own = [paths.policy, ...program].filter((file) => existsSync(file) && isChangeable(file, rights) === true);
  if (own.length > 0) {
    const advice = `Let root own them and give the agent's account no right to write there (${docsPage("hardening.md")}).`;
    const details = `the agent's account can change ${shortened(own)}`;
    // Where it runs, its owner said --insecure-files; otherwise it will refuse to start.
    return { status: isRunning ? "warn" : "FAIL", details, advice };
  }
  if (existsSync(paths.control) && isChangeable(paths.control, rights) === true) {
    const advice = `Let root own ${paths.control}: the agent's account only needs to look into it.`;
    return { status: "warn", details: "the agent's account can take its owner's lock away", advice };
  }
  return { status: "ok", details: `keys are uid ${account}'s alone, policy and program are not` };
}

const shortened = (files: readonly string[]): string =>
  files.length <= 2 ? files.join(" and ") : `${files[0]} and ${files.length - 1} more`;

/** What another account may, by a file's owner, group and mode: more groups of it and access lists are not seen. */
export function rightsOf(uid: number, gid: number): Rights {
  return {
    account: uid,
    stat: statSync,
    real: realpathSync,
    isWritable(path) {
      const { mode, uid: owner, gid: group } = statSync(path);
      const bit = owner === uid ? 0o200 : group === gid ? 0o020 : 0o002;
      return (mode & bit) !== 0;
    },
  };
}
