/** What only some files may call, and what nobody may. */
import { hasSequence, importsOf, isTest, positionsOf, type Source, type Token, tokens } from "./source.ts";

/** Ways to open a listening endpoint, each as tokens in a row. */
const LISTENING: readonly (readonly string[])[] = [
  [".", "listen", "("],
  ["[", '"listen"', "]"],
  ["createServer"],
  ["createSecureServer"],
  ["createSocket"],
  ["WebSocketServer"],
  ["new", "Server", "("],
  [".", "Server", "("],
  ["inspector", ".", "open"],
];
/** Modules that do nothing but listen, or that listen when one only imports them. */
const LISTENING_MODULES = new Set(["dgram", "cluster", "inspector", "inspector/promises", "repl"]);

/** Datagrams need a bound socket; it is connected to one address before its first use. */
const CONNECTED = { path: "agent/src/datagrams.ts", allowed: ["createSocket", "node:dgram"] } as const;

/** Where a file of the agent could listen: the call's tokens, or the module. Tests may listen on loopback. */
export function listeningCalls(sources: readonly Source[]): string[] {
  return sources
    .filter((source) => source.path.startsWith("agent/src/") && !isTest(source))
    .flatMap(({ path, text }) => {
      const all = tokens(text);
      const calls = LISTENING.filter((call) => hasSequence(all, ...call)).map((call) => call.join(""));
      const modules = importsOf(text).filter((name) => LISTENING_MODULES.has(name.replace(/^node:/, "")));
      const isConnected = path === CONNECTED.path && hasSequence(all, "socket", ".", "connect", "(");
      const allowed: readonly string[] = isConnected ? CONNECTED.allowed : [];
      return [...calls, ...modules].filter((what) => !allowed.includes(what)).map((what) => `${path}: ${what}`);
    });
}

const TABLE_WRITES = ["submitTransaction", "createEntity", "updateEntity", "upsertEntity", "deleteEntity"];

/** The orchestrator's files that write tables. */
export const tableWriters = (sources: readonly Source[]): string[] =>
  sources
    .filter((source) => source.path.startsWith("cloud/src/") && !isTest(source))
    .filter(({ text }) => tokens(text).some((token) => TABLE_WRITES.includes(token.value)))
    .map(({ path }) => path);

/** The product's files that read the environment, however it is spelt. */
export const environmentReaders = (sources: readonly Source[]): string[] =>
  sources
    .filter((source) => !source.path.startsWith("test/") && !isTest(source))
    .filter(({ text }) => {
      const all = tokens(text);
      const imported = importsOf(text).some((name) => /^(node:)?process$/.test(name)) && hasSequence(all, "env");
      return imported || hasSequence(all, "process", ".", "env") || hasSequence(all, "process", "[", '"env"');
    })
    .map(({ path }) => path);

const OPEN_BRACKETS = "([{";
const CLOSE_BRACKETS = ")]}";

/** Where HTTP functions are registered from the table of routes, and nowhere else. */
const REGISTRAR = "cloud/src/serve.ts";

/** What an HTTP trigger must say, for each `app.http(` of the orchestrator that does not, or that stands elsewhere. */
export function httpFunctionFaults(sources: readonly Source[]): string[] {
  return sources
    .filter((source) => source.path.startsWith("cloud/src/") && !isTest(source))
    .flatMap(({ path, text }) => {
      const all = tokens(text);
      const calls = positionsOf(all, "app", ".", "http", "(");
      if (path !== REGISTRAR) return calls.map(() => `${path}: app.http`);
      return calls.flatMap((start) => {
        const fields = topLevelFields(all, start + 4);
        const name = all[start + 4]?.value ?? "?";
        const level = fields.get("authLevel");
        return [
          ...(level?.kind === "text" && level.value === "anonymous" ? [] : [`${path} ${name}: authLevel`]),
          ...(/^(guarded|open)$/.test(fields.get("handler")?.value ?? "") ? [] : [`${path} ${name}: handler`]),
        ];
      });
    });
}

/** The first token of each field of the first object after `start`; its nested objects are passed over. */
function topLevelFields(all: readonly Token[], start: number): Map<string, Token> {
  const fields = new Map<string, Token>();
  let depth = 0;
  for (let at = start; at < all.length; at++) {
    const { kind, value } = all[at]!;
    if (kind === "sign" && OPEN_BRACKETS.includes(value)) depth += 1;
    if (kind === "sign" && CLOSE_BRACKETS.includes(value) && --depth <= 0) break;
    if (depth === 1 && kind !== "sign" && all[at + 1]?.value === ":") fields.set(value, all[at + 2]!);
  }
  return fields;
}
