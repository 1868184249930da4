/** One connection to the emulator: messages in, messages out, who signed in, and TLS put over it on demand. */
import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import type { Account } from "./accounts.ts";
import { int, integer, type Node, octets, parse, sequence, text, tlv } from "./ber.ts";
import { bind, type Who } from "./bind.ts";
import { CHANGES, type Changed, change } from "./change.ts";
import { dirSync } from "./dir-sync.ts";
import { effective, mayChange, type Rights } from "./rights.ts";
import { rootDse } from "./root-dse.ts";
import { type Answer, type Asked, DIR_SYNC, type Pages, search } from "./search.ts";
import type { Emulated } from "./start.ts";
import { type Stored, sidBytes } from "./store.ts";

const START_TLS = "1.3.6.1.4.1.1466.20037";
const BIND = 0x60;
const UNBIND = 0x42;
const SEARCH = 0x63;
const EXTENDED = 0x77;
const CHANGE_TAGS: readonly number[] = Object.values(CHANGES);
const NOBODY = {
  code: 1,
  diagnostic:
    "000004DC: LdapErr: DSID-0C090AC8, comment: In order to perform this operation a successful bind must be completed on the connection., data 0, v4563\0",
};

const NO_RIGHT = {
  code: 50,
  diagnostic: "00002098: SecErr: DSID-03150F94, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0\n\0",
};

export function serveSession(
  socket: Socket,
  emulated: Emulated,
  secured: { certificate: Buffer; context: SecureContext },
): void {
  const pages: Pages = { waiting: new Map(), next: 1 };
  let who: Who = "nobody";
  let stream: Socket = socket;
  let held: Buffer = Buffer.alloc(0);
  const binding = endPointBinding(secured.certificate);

  const send = (id: number, body: Buffer, controls: Readonly<Record<string, Buffer>> = {}): void => {
    const list = Object.entries(controls).map(([oid, value]) => sequence(octets(oid), octets(value)));
    stream.write(sequence(int(id), body, ...(list.length === 0 ? [] : [tlv(0xa0, ...list)])));
  };
  const done = (id: number, tag: number, answer: Omit<Answer, "parts">, ...more: Buffer[]): void => {
    const referrals = (answer.referrals ?? []).map((url) => octets(url));
    const list = referrals.length === 0 ? [] : [tlv(0xa3, ...referrals)];
    const body = tlv(
      tag,
      int(answer.code, 0x0a),
      octets(answer.matchedDn ?? ""),
      octets(answer.diagnostic),
      ...list,
      ...more,
    );
    send(id, body, answer.controls);
  };

  const constructed = (object: Stored, attribute: string): readonly Buffer[] => {
    if (attribute.toLowerCase() === "parentguid") {
      const parent = emulated.store.find(object.dn.slice(object.dn.indexOf(",") + 1));
      return parent === undefined ? [] : [parent.guid];
    }
    const tell = effective[attribute.toLowerCase()];
    return tell === undefined ? [] : tell(object, rightsOn(object)).map((name) => Buffer.from(name));
  };
  const rightsOn = (object: Stored): Rights =>
    (typeof who === "string" ? undefined : emulated.rights?.(who, object)) ?? {};
  const groupsOf = (account: Account): Buffer[] => {
    const sid = emulated.store.find(account.dn)?.attributes.get("objectsid")?.values ?? [];
    return [...sid, ...[`${emulated.store.domainSid}-513`, ...(account.groups ?? [])].map(sidBytes)];
  };

  const look = (id: number, body: readonly Node[], controls: ReadonlyMap<string, Buffer>): void => {
    const [base, scope, , sizeLimit, , , filter, attributes] = body;
    const asked: Asked = {
      ...{ base: text(base), scope: integer(scope), sizeLimit: integer(sizeLimit), filter: filter!, controls },
      attributes: (attributes?.children ?? []).map(text),
    };
    emulated.log({ event: "search", base: asked.base, attributes: asked.attributes });
    if (asked.base === "" && asked.scope === 0) {
      const groups = typeof who === "string" ? [] : groupsOf(who);
      send(id, rootDse(emulated, asked.attributes, groups));
      done(id, 0x65, { code: 0, diagnostic: "" });
      return;
    }
    if (typeof who === "string") {
      done(id, 0x65, NOBODY);
      return;
    }
    const { store, limits, cookies } = emulated;
    const answer =
      emulated.answer?.(asked) ??
      (controls.has(DIR_SYNC)
        ? dirSync(store, asked, cookies, limits.dirSync)
        : search(store, asked, pages, limits, constructed));
    for (const part of answer.parts) send(id, part);
    done(id, 0x65, answer);
  };

  const alter = (id: number, operation: Node): void => {
    const { tag, content, children } = operation;
    const isDelete = tag === CHANGES.delete;
    emulated.log({ event: "change", tag, object: isDelete ? content.toString("utf8") : text(children[0]) });
    const { store } = emulated;
    const changed = (): Changed => (mayChange(store, operation, rightsOn) ? change(store, operation) : NO_RIGHT);
    // The answer's tag is the next one; of a delete, which is primitive, the constructed one.
    done(id, isDelete ? 0x6b : tag + 1, typeof who === "string" ? NOBODY : changed());
  };

  const take = (message: Node): void => {
    const [number, operation, controls] = message.children;
    const id = integer(number);
    const { tag = 0, children = [] } = operation ?? {};
    if (emulated.onMessage?.({ id, tag, stream, send: (bytes) => stream.write(bytes) }) === "swallow") return;
    if (tag === BIND) {
      const bound = bind(emulated, children, stream instanceof TLSSocket ? binding : undefined);
      who = bound.who;
      done(id, 0x61, bound, ...bound.more);
    } else if (tag === SEARCH) look(id, children, controlsOf(controls));
    else if (tag === UNBIND) stream.end();
    else if (tag === EXTENDED && text(children[0]) === START_TLS) {
      done(id, 0x78, { code: 0, diagnostic: "" }, tlv(0x8a, START_TLS));
      encrypt();
    } else if (CHANGE_TAGS.includes(tag)) alter(id, operation!);
    else done(id, 0x78, { code: 2, diagnostic: "00000057: not known here\0" });
  };
  const read = (chunk: Buffer): void => {
    held = Buffer.concat([held, chunk]);
    try {
      for (let next = parse(held); next !== undefined; next = parse(held)) {
        held = held.subarray(next.bytes);
        take(next.node);
      }
    } catch {
      stream.destroy();
    }
  };
  const encrypt = (): void => {
    socket.off("data", read);
    stream = new TLSSocket(socket, { isServer: true, secureContext: secured.context });
    stream.on("error", () => stream.destroy());
    stream.on("data", read);
  };
  socket.on("error", () => socket.destroy());
  socket.on("data", read);
}

function controlsOf(list: Node | undefined): ReadonlyMap<string, Buffer> {
  const controls = (list?.children ?? []).map(({ children }) => {
    const value = children.find((part, index) => index > 0 && part.tag === 0x04);
    return [text(children[0]), value?.content ?? Buffer.alloc(0)] as const;
  });
  return new Map(controls);
}

/** `tls-server-end-point` of a certificate signed with SHA-256 [RFC 5929 4.1], as a sign-in has to name it. */
export const endPointBinding = (certificate: Buffer): Buffer =>
  Buffer.concat([Buffer.from("tls-server-end-point:"), createHash("sha256").update(certificate).digest()]);
