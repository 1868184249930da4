/** A person's terminal: what is shown there, and what is typed there unseen. */

/** Controls of C0 and C1, and those that turn text around (https://www.unicode.org/reports/tr9/). */
const OBEYED = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Text from elsewhere, without what a terminal would obey and without what shows it in another order. One line. */
export const plain = (text: string): string => text.replace(OBEYED, "?");

/** JSON on one line; `JSON.stringify` alone leaves DEL, C1 and the turning ones as they are. */
export const plainJson = (value: unknown): string =>
  JSON.stringify(value).replace(OBEYED, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);

const COLOURS = { red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Colour = keyof typeof COLOURS;

/** In its colour on a terminal, and not with NO_COLOR (https://no-color.org); `text` must be plain already. */
export const painted = (
  text: string,
  colour: Colour | undefined,
  out: { readonly isTTY?: boolean },
  noColor: string | undefined,
): string => (colour !== undefined && out.isTTY && !noColor ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text);

/** `1 rule`, `2 rules`. */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

/** `41 s`, `12 m`, `3 h 12 m`, `6 d 02 h`; nothing is shorter than 0 s. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m`;
  const hours = Math.floor(minutes / 60);
  const two = (value: number): string => String(value).padStart(2, "0");
  return hours < 24 ? `${hours} h ${two(minutes % 60)} m` : `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

/** The errors of a command line for a secret that did not come. */
export interface Refusals {
  /** Ctrl-C while it was typed. */
  readonly interrupted: () => Error;
  /** More was piped in than any secret is long. */
  readonly tooLong: () => Error;
}

/** One line that is not shown while it is typed, or the first line of what is piped in. @throws what `refusals` make */
export async function askUnseen(question: string, refusals: Refusals): Promise<string> {
  const { stdin } = process;
  if (!stdin.isTTY) return await readPiped(refusals);
  // Before the question is seen: what is typed at once would be shown otherwise.
  stdin.setRawMode(true);
  try {
    process.stderr.write(question);
    return await readTyped(refusals);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    process.stderr.write("\n");
  }
}

const ENTER = /[\r\n]/;
const INTERRUPT = "\u0003";
const ERASE = /[\b\u007f]/;

async function readTyped(refusals: Refusals): Promise<string> {
  let typed = "";
  for await (const chunk of process.stdin) {
    for (const character of String(chunk)) {
      if (ENTER.test(character)) return typed;
      if (character === INTERRUPT) throw refusals.interrupted();
      typed = ERASE.test(character) ? typed.slice(0, -1) : typed + character;
    }
  }
  return typed;
}

const MAX_PIPED_CHARACTERS = 4096;

/** The first line of the standard input. @throws what `refusals` make */
export async function readPiped({ tooLong }: Pick<Refusals, "tooLong">): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > MAX_PIPED_CHARACTERS) throw tooLong();
  }
  return firstLine(text);
}

export const firstLine = (text: string): string => text.split(/\r?\n/)[0] ?? "";
