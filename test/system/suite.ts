/** What a system test is made of: suites of named checks, each told in one line. */

/** Runs one check, says how it went, and goes on either way. Answers whether it passed. */
export type Check = (name: string, act: () => Promise<void> | void) => Promise<boolean>;

/** What the command line says to suites that draw. */
export interface SuiteOptions {
  readonly seed?: number;
  readonly kills?: number;
  /** How long a soak takes. */
  readonly minutes?: number;
}

export interface Suite {
  readonly name: string;
  /** One line for `--help`. */
  readonly about: string;
  run(check: Check, options?: SuiteOptions): Promise<void>;
}

export interface Tally {
  readonly passed: number;
  readonly failed: number;
}

/** The last line of a run. */
export const summary = ({ passed, failed }: Tally): string => `${passed} passed, ${failed} failed`;
export const SUMMARY = /^(\d+) passed, (\d+) failed$/m;

/** Runs the suites in turn. A suite that throws outside its checks counts as one more failed check. */
export async function runSuites(
  suites: readonly Suite[],
  say: (line: string) => void,
  options: SuiteOptions = {},
): Promise<Tally> {
  const tally = { passed: 0, failed: 0 };
  const check: Check = async (name, act) => {
    const startedMs = performance.now();
    try {
      await act();
    } catch (thrown) {
      tally.failed += 1;
      say(`  FAILED  ${name}`);
      say(indent(textOf(thrown)));
      return false;
    }
    tally.passed += 1;
    say(`  ok      ${name}  (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`);
    return true;
  };
  for (const suite of suites) {
    say(`\n${suite.name}: ${suite.about}`);
    try {
      await suite.run(check, options);
    } catch (thrown) {
      await check("the suite runs to its end", () => {
        throw thrown;
      });
    }
  }
  return tally;
}

const textOf = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);

const indent = (text: string): string =>
  text
    .split("\n")
    .map((line) => `          ${line}`)
    .join("\n");
