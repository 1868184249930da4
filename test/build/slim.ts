/** What the agent's bundle leaves out of packages, because nothing of ours comes to it. Smaller is also less to review. */
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Plugin } from "./bundle.ts";
import { ROOT } from "./root.ts";

const resolve = createRequire(join(ROOT, "agent/package.json")).resolve;
const REFUSAL = join(ROOT, "agent/src/connectors/mssql/no-entra.ts");

/** tedious' sign-in by Entra and its keys in Key Vault: forty packages. */
export const noEntra: Plugin = {
  name: "no Entra sign-in",
  setup({ onResolve }) {
    onResolve({ filter: /^@azure\// }, () => ({ path: REFUSAL }));
  },
};

/** tedious' streams in a copy for browsers, where Node has its own; its calendar with comments. */
export const leanDriver: Plugin = {
  name: "lean driver",
  setup({ onResolve }) {
    onResolve({ filter: /^readable-stream$/ }, () => ({ path: "node:stream", external: true }));
    onResolve({ filter: /^@js-joda\/core$/ }, () => ({ path: resolve("@js-joda/core/dist/js-joda.min.js") }));
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
