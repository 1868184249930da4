/**
 * Windows' own encryption of what lies on the disk (learn.microsoft.com, "CryptProtectData"), by a key of this machine: whoever copies
 * the file has nothing, whoever is administrator here can decrypt it. Not by a key of the account: that one would be lost with a
 * change of the account, and a virtual account has none that lasts.
 */
import { native } from "../../sign-in/native.ts";
import { lastError, library, once, succeed, WindowsError } from "./libraries.ts";

/** CRYPTPROTECT_UI_FORBIDDEN, and for wrapping CRYPTPROTECT_LOCAL_MACHINE. */
const NO_WINDOW = 0x1;
const OF_MACHINE = 0x4;

/** Keeps apart what other programs of this machine wrap; no secret. */
const PURPOSE = Buffer.from("sallyport agent key, version 1");

const calls = once(() => {
  native.struct("DATA_BLOB", { cbData: "uint32_t", pbData: "void *" });
  const rest = "DATA_BLOB *entropy, void *reserved, void *prompt, uint32_t flags, _Out_ DATA_BLOB *out)";
  return {
    protect: library("crypt32").func(`int __stdcall CryptProtectData(DATA_BLOB *in, str16 about, ${rest}`),
    unprotect: library("crypt32").func(`int __stdcall CryptUnprotectData(DATA_BLOB *in, void *about, ${rest}`),
    free: library("kernel32").func("void * __stdcall LocalFree(void *memory)"),
  };
});

const blob = (bytes: Uint8Array) => ({ cbData: bytes.length, pbData: bytes });

/** @throws WindowsError */
export function protect(plain: Uint8Array): Buffer {
  const out: Partial<Out> = {};
  const ok = calls().protect(blob(plain), "Sallyport", blob(PURPOSE), null, null, NO_WINDOW | OF_MACHINE, out);
  succeed("CryptProtectData", ok);
  return taken(out as Out);
}

/** @throws WindowsError for what another machine wrapped, or somebody changed */
export function unprotect(wrapped: Uint8Array): Buffer {
  const out: Partial<Out> = {};
  const ok = calls().unprotect(blob(wrapped), null, blob(PURPOSE), null, null, NO_WINDOW, out);
  if (ok === 0) throw new WindowsError("CryptUnprotectData", lastError());
  return taken(out as Out);
}

interface Out {
  readonly cbData: number;
  readonly pbData: unknown;
}

/** Copies what Windows allocated, and leaves nothing of it there. */
function taken({ cbData, pbData }: Out): Buffer {
  const there = new Uint8Array(native.view(pbData, cbData));
  const bytes = Buffer.from(there);
  there.fill(0);
  calls().free(pbData);
  return bytes;
}
