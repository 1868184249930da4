/** YAML files that a person names at this command line. */
import { readStrictYaml, YamlError } from "@sallyport/shared/strict-yaml.ts";
import { CliError, EXIT } from "./exit.ts";

/** Pulls of many tenants in one file. */
const MAX_BYTES = 4 * 2 ** 20;
const SHOWN = 8;

/** @throws CliError with the mistakes and their lines */
export function readYaml(text: string, name: string): unknown {
  try {
    return readStrictYaml(text, MAX_BYTES).value;
  } catch (thrown) {
    if (!(thrown instanceof YamlError)) throw thrown;
    const problems = thrown.problems.slice(0, SHOWN).map(({ line, message }) => `line ${line}: ${message}`);
    throw new CliError(EXIT.usage, `${name} cannot be read: ${problems.join("; ")}`, "Mend the file, then try again.");
  }
}
