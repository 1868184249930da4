/** What the agent's bundle leaves out of packages, because nothing of ours comes to it. Smaller is also less to review. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Plugin } from "./bundle.ts";
import { ROOT } from "./root.ts";

const CONNECTOR = join(ROOT, "agent/src/connectors/mssql");
const REFUSAL = join(CONNECTOR, "no-entra.ts");

/** tedious' sign-in by Entra and its keys in Key Vault: forty packages. */
export const noEntra: Plugin = {
  name: "no Entra sign-in",
  setup({ onResolve }) {
    onResolve({ filter: /^@azure\// }, () => ({ path: REFUSAL }));
  },
};

/** A library of calendars, of which tedious counts days with. */
export const daysOnly: Plugin = {
  name: "days only",
  setup({ onResolve }) {
    onResolve({ filter: /^@js-joda\/core$/ }, () => ({ path: join(CONNECTOR, "local-date.ts") }));
  },
};

/** tedious' streams, a copy for browsers of what Node has itself. */
export const nodeStreams: Plugin = {
  name: "Node's streams",
  setup({ onResolve }) {
    onResolve({ filter: /^readable-stream$/ }, () => ({ path: "node:stream", external: true }));
  },
};

/** Messages of zod in fifty languages: an agent's speak English. */
export const englishOnly: Plugin = {
  name: "English only",
  setup({ onLoad }) {
    onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
    }));
  },
};

/** `import { z }` keeps all of zod, `import * as z` what is used. */
export const shakenZod: Plugin = {
  name: "shaken zod",
  setup({ onLoad }) {
    onLoad({ filter: /\/(agent|shared)\/src\/.*\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8")).replace('import { z } from "zod";', 'import * as z from "zod";'),
      loader: "ts",
    }));
  },
};

/** Tables of iconv-lite that belong to no code page of SQL Server's collations: EUC-JP, and what Hong Kong adds to Big5. */
export const fewerCodePages: Plugin = {
  name: "fewer code pages",
  setup({ onLoad }) {
    onLoad({ filter: /\/iconv-lite\/encodings\/tables\/(eucjp|big5-added)\.json$/ }, () => ({
      contents: 'throw new Error("This encoding is none of SQL Server\'s.");',
      loader: "js",
    }));
  },
};
