/** Why the host refuses to start: a message for the person who starts it, without a stack. */
export class StartProblem extends Error {
  override name = "StartProblem";
}

export function startProblem(message: string, cause?: unknown): StartProblem {
  return new StartProblem(message, cause === undefined ? undefined : { cause });
}
