/**
 * Takes values from the driver before it makes lossy numbers and Dates of them. tedious reads every value through the
 * exports of this one module; columns that carry a sink go there, all others as ever. Measured with tedious 20.3.9,
 * which is pinned; golden bytes in `decode.test.ts` fail when a new version reads otherwise.
 */
import helpers from "tedious/lib/token/helpers.js";
import valueParser from "tedious/lib/value-parser.js";
import type { ValueSink } from "./sink.ts";
import type { WireColumn } from "./wire.ts";

const SINK = Symbol("sallyport.sink");

/** What the driver gets instead of a value that went into a sink. `null` it gives itself, for a NULL without bytes. */
const WRITTEN = true;

interface Carrier {
  [SINK]?: ValueSink;
}
interface Reading {
  readonly buffer: Buffer;
  position: number;
}

/** From now on the column's values go into the sink. The metadata object is the one that the driver reads rows by. */
export function attachSink(metadata: WireColumn, sink: ValueSink): void {
  (metadata as Carrier)[SINK] = sink;
}

const sinkOf = (metadata: object): ValueSink | undefined => (metadata as Carrier)[SINK];

const original = { readValue: valueParser.readValue, PLPReader: valueParser.PLPReader };

// The driver takes value and offset out at once, so one object serves all values.
const result = new helpers.Result<unknown>(WRITTEN, 0);

const readValue: typeof valueParser.readValue = (buffer, offset, metadata, options) => {
  const sink = (metadata as Carrier)[SINK];
  if (sink === undefined) return original.readValue(buffer, offset, metadata, options);
  result.offset = sink.read(buffer, offset);
  return result;
};

const PLP_ALL_ONES = 0xffffffff;
const PLP_UNKNOWN_LOW = 0xfffffffe;

/**
 * A value in pieces: keeps what it needs and not more than the sink's limit, whatever length was announced.
 * [MS-TDS 2.2.5.2.3.3]
 */
function createLargeReader(sink: ValueSink): { read(parser: Reading): unknown } {
  let announced: number | "unknown" | "null" | undefined;
  let remaining = 0;
  let length = 0;
  let pieces: Buffer[] = [];
  let refused = false;

  const keep = (piece: Buffer): void => {
    length += piece.length;
    if (length <= sink.largeBytes) pieces.push(piece);
    else if (!refused) {
      refused = true;
      pieces = [];
      sink.refuseLarge();
    }
  };
  /** Takes what is there of one piece. */
  const takePiece = (parser: Reading): void => {
    const start = parser.position;
    const end = Math.min(start + remaining, parser.buffer.length);
    if (start === end) throw new helpers.NotEnoughDataError(start + 1);
    keep(parser.buffer.subarray(start, end));
    remaining -= end - start;
    parser.position = end;
  };
  return {
    read(parser) {
      announced ??= takeLength(parser);
      if (announced === "null") return null;
      for (;;) {
        if (remaining === 0) {
          remaining = uint32(parser, parser.position);
          parser.position += 4;
          if (remaining === 0) break;
        }
        takePiece(parser);
      }
      // The driver turns a throw from here into a lost connection, which this is.
      if (announced !== "unknown" && announced !== length) throw new Error("a value has another length than announced");
      if (!refused) sink.readLarge(Buffer.concat(pieces, length));
      return WRITTEN;
    },
  };
}

function uint32(parser: Reading, at: number): number {
  if (parser.buffer.length < at + 4) throw new helpers.NotEnoughDataError(at + 4);
  return parser.buffer.readUInt32LE(at);
}

function takeLength(parser: Reading): number | "unknown" | "null" {
  const high = uint32(parser, parser.position + 4);
  const low = uint32(parser, parser.position);
  parser.position += 8;
  if (high === PLP_ALL_ONES && low === PLP_ALL_ONES) return "null";
  return high === PLP_ALL_ONES && low === PLP_UNKNOWN_LOW ? "unknown" : high * 2 ** 32 + low;
}

/** Called with `new` by the driver. */
function PLPReader(metadata: object): unknown {
  const sink = sinkOf(metadata);
  return sink === undefined
    ? new original.PLPReader(metadata as ConstructorParameters<typeof original.PLPReader>[0])
    : createLargeReader(sink);
}

/** Puts the two readers in place; a second call changes nothing. */
export function installHook(): void {
  const exported = valueParser as { readValue: unknown; PLPReader: unknown };
  exported.readValue = readValue;
  exported.PLPReader = PLPReader;
}
