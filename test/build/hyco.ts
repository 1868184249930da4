/** hyco-ws asks Node's cache of modules for parts of its `ws` 1; a bundle has no such cache, and would break as it loads. */
import { readFile } from "node:fs/promises";
import type { Plugin } from "./bundle.ts";

const LOOK_UP = /^var wsc = require\.cache\[require\.resolve\('ws'\)\]\r?$/m;
const FROM_CACHE = /\bwsc\.require\('\.\/lib\/(\w+)'\)/g;

export const hycoSubmodules: Plugin = {
  name: "hyco-ws submodules",
  setup({ onLoad }) {
    onLoad({ filter: /\/hyco-ws\/lib\/HybridConnectionWebSocketServer\.js$/ }, async ({ path }) => ({
      contents: withoutCache(await readFile(path, "utf8")),
      loader: "js",
    }));
  },
};

/** Its helper for tokens needs a calendar of 99 KB. The agent is given its tokens, and never asks for one here. */
export const hycoWithoutTokens: Plugin = {
  name: "hyco-ws without tokens",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^moment$/ }, ({ path }) => ({ path, namespace: "no calendar" }));
    onLoad({ filter: /.*/, namespace: "no calendar" }, () => ({
      contents: 'module.exports = () => { throw new Error("This agent makes no tokens of the relay."); };',
    }));
  },
};

/** @throws where a new version does it some other way: better no bundle than one that does not load. */
export function withoutCache(text: string): string {
  const rewritten = text.replace(LOOK_UP, "").replace(FROM_CACHE, "require('ws/lib/$1')");
  if (rewritten === text || rewritten.includes("wsc")) throw new Error("hyco-ws finds the parts of ws some other way.");
  return rewritten;
}
