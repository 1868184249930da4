/** Writing where others write too: of those who meet one wins, and the others look again. */

/** After so many meetings in a row something else is wrong. */
export const TRIES = 5;

/** Looks and writes until it answers. Undefined says that somebody else wrote in between: of one try, and of all of them. */
export async function lookAgain<T>(lookAndWrite: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let tries = 1; tries <= TRIES; tries++) {
    const answer = await lookAndWrite();
    if (answer !== undefined) return answer;
  }
  return undefined;
}
