/**
 * Thrift's compact protocol as a tree, as far as Parquet footers use it: read, change, write again. Unknown fields stay
 * as they are. https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */

export const THRIFT = {
  true: 1,
  false: 2,
  i8: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  struct: 12,
};

export interface ThriftField {
  readonly id: number;
  /** One of THRIFT; a boolean's value is its type. */
  readonly type: number;
  value: ThriftValue;
}
export type ThriftStruct = ThriftField[];
export interface ThriftList {
  readonly of: number;
  items: ThriftValue[];
}
/** Integers are bigint; doubles and binaries are bytes. */
export type ThriftValue = bigint | boolean | Uint8Array | ThriftStruct | ThriftList;

/** The struct that begins at `bytes[0]`. Throws RangeError when the bytes end before it does. */
export function readThrift(bytes: Uint8Array): ThriftStruct {
  let position = 0;
  const byte = (): number => {
    const next = bytes[position++];
    if (next === undefined) throw new RangeError("thrift data ends early");
    return next;
  };
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const next = byte();
      value |= BigInt(next & 0x7f) << shift;
      if (next < 0x80) return value;
      if (shift > 63n) throw new RangeError("a thrift integer is longer than 64 bits");
    }
  };
  const integer = (): bigint => {
    const zigzag = varint();
    return (zigzag >> 1n) ^ -(zigzag & 1n);
  };
  const take = (length: number): Uint8Array => {
    if (position + length > bytes.length) throw new RangeError("thrift data ends early");
    position += length;
    return bytes.slice(position - length, position);
  };
  const list = (): ThriftList => {
    const header = byte();
    const short = header >> 4;
    const count = short === 15 ? Number(varint()) : short;
    const of = header & 15;
    // In a list a boolean has a byte of its own.
    const item = () => (of === THRIFT.true || of === THRIFT.false ? byte() === THRIFT.true : value(of));
    return { of, items: Array.from({ length: Math.min(count, bytes.length) }, item) };
  };
  const struct = (): ThriftStruct => {
    const fields: ThriftStruct = [];
    for (let id = 0; ; ) {
      const header = byte();
      if (header === 0) return fields;
      const type = header & 15;
      id = header >> 4 === 0 ? Number(integer()) : id + (header >> 4);
      fields.push({ id, type, value: value(type) });
    }
  };
  const value = (type: number): ThriftValue => {
    switch (type) {
      case THRIFT.true:
      case THRIFT.false:
        return type === THRIFT.true;
      case THRIFT.i8:
        return BigInt(byte());
      case THRIFT.i16:
      case THRIFT.i32:
      case THRIFT.i64:
        return integer();
      case THRIFT.double:
        return take(8);
      case THRIFT.binary:
        return take(Number(varint()));
      case THRIFT.list:
      case THRIFT.set:
        return list();
      case THRIFT.struct:
        return struct();
      default:
        throw new RangeError(`thrift type ${type} is not known here`);
    }
  };
  return struct();
}

export function writeThrift(root: ThriftStruct): Uint8Array {
  const out: number[] = [];
  const varint = (value: bigint) => {
    for (; value >= 0x80n; value >>= 7n) out.push(Number(value & 0x7fn) | 0x80);
    out.push(Number(value));
  };
  const integer = (value: bigint) => varint(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)));
  const bytes = (value: Uint8Array) => {
    for (const one of value) out.push(one);
  };
  const list = ({ of, items }: ThriftList) => {
    if (items.length < 15) out.push((items.length << 4) | of);
    else {
      out.push(0xf0 | of);
      varint(BigInt(items.length));
    }
    for (const item of items) {
      if (typeof item === "boolean") out.push(item ? THRIFT.true : THRIFT.false);
      else write(of, item);
    }
  };
  const struct = (fields: ThriftStruct) => {
    let last = 0;
    for (const { id, type, value } of fields.toSorted((a, b) => a.id - b.id)) {
      if (id - last > 0 && id - last <= 15) out.push(((id - last) << 4) | type);
      else {
        out.push(type);
        integer(BigInt(id));
      }
      last = id;
      write(type, value);
    }
    out.push(0);
  };
  const write = (type: number, value: ThriftValue) => {
    if (typeof value === "boolean") return;
    if (typeof value === "bigint") {
      if (type === THRIFT.i8) out.push(Number(value));
      else integer(value);
    } else if (value instanceof Uint8Array) {
      if (type === THRIFT.binary) varint(BigInt(value.length));
      bytes(value);
    } else if (Array.isArray(value)) struct(value);
    else list(value);
  };
  struct(root);
  return Uint8Array.from(out);
}

export const fieldOf = (struct: ThriftStruct, id: number): ThriftField | undefined =>
  struct.find((field) => field.id === id);

/** Sets a field, or adds it. */
export function setField(struct: ThriftStruct, id: number, type: number, value: ThriftValue): void {
  const field = fieldOf(struct, id);
  if (field) field.value = value;
  else struct.push({ id, type, value });
}

export function structOf(struct: ThriftStruct, id: number): ThriftStruct {
  const value = fieldOf(struct, id)?.value;
  if (!Array.isArray(value)) throw new RangeError(`field ${id} is no struct`);
  return value;
}

/** The structs of a list field. */
export function structsOf(struct: ThriftStruct, id: number): ThriftStruct[] {
  const value = fieldOf(struct, id)?.value;
  if (typeof value !== "object" || !("items" in value)) throw new RangeError(`field ${id} is no list`);
  return value.items as ThriftStruct[];
}
