import { z } from "zod";

/** Ids that people choose: tenants, sites, connections, pulls. They stand in table keys and blob paths. */
export const nameId = z.string().regex(/^[a-z0-9-]{1,40}$/, "use 1 to 40 of a-z, 0-9 and -");

/** Ids that we draw: 16 random bytes as lower-case hex. */
export const randomId = z.string().regex(/^[0-9a-f]{32}$/);

/** A run's public id: `{pull}.{inverted time}-{id}`. */
export const runId = z.string().regex(/^[a-z0-9-]{1,40}\.[0-9]{13}-[0-9a-f]{8}$/, "not a run's id");

/** Bytes as base64url without padding. */
export const base64url = z.string().regex(/^[A-Za-z0-9_-]*$/);

/** SHA-256 as base64url: 43 characters. */
export const sha256Text = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

/** Opaque to everything but its connector: how far a run has got. */
export const position = z.string().min(1).max(4096);

/** Characters of a watermark: a directory's cookie has 24 bytes for each controller that there ever was. A table's property holds twice as many. */
export const MAX_WATERMARK_CHARS = 16_384;

/** Opaque as well: up to where a pull has read, and a run is to read. */
export const watermark = z.string().min(1).max(MAX_WATERMARK_CHARS);
