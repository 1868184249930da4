/** What `files.ts` tells from modes, on Windows: from access lists, which a child is asked for, as this process loads no FFI. */
import { type Ask, askNative } from "../install/windows/native-child.ts";
import { listsOf } from "../install/windows/own-lists.ts";
import { changeFaults, judgedFor } from "../install/windows/trust.ts";

/** Which of these files, or folders above them, somebody else than an administrator could change. @throws ConfigError */
export function changeableFiles(
  files: readonly string[],
  ask: Ask = askNative,
  judged = judgedFor(files),
): readonly string[] {
  const lists = listsOf(
    judged.map(({ path }) => path),
    ask,
  );
  return changeFaults(judged, { readSddl: (path) => lists.get(path) ?? "" });
}

/** Why this process must not serve: who may change what decides, and what its own account is. @throws ConfigError */
export function ownFaults(
  files: readonly string[],
  ask: Ask = askNative,
  judged = judgedFor(files),
): readonly string[] {
  const answer = ask({ ask: "token" });
  const isOrdinary = "isAdministrators" in answer && !answer.isAdministrators;
  return [
    ...(isOrdinary ? [] : ["this account is an administrator's, which may change anything"]),
    ...changeableFiles(files, ask, judged),
  ];
}
