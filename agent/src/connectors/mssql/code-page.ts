/** Text in a collation's code page. */

/** SQL Server's ANSI code pages as the Encoding Standard names them; the OEM ones (437, 850) it does not know. */
const LABELS: Readonly<Record<string, string>> = {
  CP874: "windows-874",
  CP932: "shift_jis",
  CP936: "gbk",
  CP949: "euc-kr",
  CP950: "big5",
  CP1250: "windows-1250",
  CP1251: "windows-1251",
  CP1252: "windows-1252",
  CP1253: "windows-1253",
  CP1254: "windows-1254",
  CP1255: "windows-1255",
  CP1256: "windows-1256",
  CP1257: "windows-1257",
  CP1258: "windows-1258",
};

const decoders = new Map<string, InstanceType<typeof TextDecoder>>();

/** @returns undefined where a byte stands for no character, or the code page is not known. */
export function decodePage(page: string | undefined, bytes: Uint8Array): string | undefined {
  const label = page === undefined ? undefined : LABELS[page];
  if (label === undefined) return undefined;
  let decoder = decoders.get(label);
  if (decoder === undefined) {
    // A byte order mark is a character like any other here.
    decoder = new TextDecoder(label, { fatal: true, ignoreBOM: true });
    decoders.set(label, decoder);
  }
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

export const isUtf8Page = (page: string | undefined): boolean => page !== undefined && /^utf-?8$/i.test(page);
