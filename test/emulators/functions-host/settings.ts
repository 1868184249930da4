import type { StartProblem } from "./start-problem.ts";
import { startProblem } from "./start-problem.ts";

/** The app's settings: environment variables, as in Azure. */
export type Settings = Readonly<Record<string, string | undefined>>;

/**
 * Replaces every `%NAME%` of a binding's text by the setting of that name.
 * Source: "Binding expression patterns", app settings. Throws a StartProblem when a setting is missing.
 */
export function resolveSettings(text: string, settings: Settings): string {
  return text.replace(/%([^%]+)%/g, (whole, name: string) => {
    const value = settings[name];
    if (value === undefined || value === "") throw missing(whole, name);
    return value;
  });
}

function missing(whole: string, name: string): StartProblem {
  return startProblem(`'${whole}' does not resolve to a value: set the app setting ${name}.`);
}
