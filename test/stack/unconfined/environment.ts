/** How a supervisor is started whose executors are not confined. */
const SUPERVISOR_PRELOAD = new URL("./supervisor.ts", import.meta.url).href;

/** @param executorFlags what each executor is started with beside its own. */
export const unconfined = (executorFlags: readonly string[]) => ({
  flags: [`--import=${SUPERVISOR_PRELOAD}`],
  environment: { EXECUTOR_FLAGS: JSON.stringify(executorFlags) },
});
