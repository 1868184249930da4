/** Text from elsewhere on a person's terminal: without what that would obey, and without what shows it in another order. */

/** Controls of C0 and C1, and those that turn text around (https://www.unicode.org/reports/tr9/). */
const OBEYED = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** One line. */
export const plain = (text: string): string => text.replace(OBEYED, "?");

/** JSON on one line; `JSON.stringify` alone leaves DEL, C1 and the turning ones as they are. */
export const plainJson = (value: unknown): string =>
  JSON.stringify(value).replace(OBEYED, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);
