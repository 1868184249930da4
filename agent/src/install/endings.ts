/** What the agent's exit codes mean to whatever keeps it running. */

/** What it was told, or was given rights to, is wrong. */
export const CONFIGURATION = 78;

/** After these a new start would end the same way: usage, policy, refused, configuration. Somebody has to mend it. */
export const FINAL: readonly number[] = [64, 65, 77, CONFIGURATION];

/** What the agent ends with when nothing reaches it any more: the service has to start it again. */
export const TRY_AGAIN = 75;
