/** One element of a heap and where it stands now; -1 once it has left. */
export type HeapEntry<T> = { readonly value: T; position: number };

export type Heap<T> = {
  push(value: T): HeapEntry<T>;
  first(): T | undefined;
  shift(): T | undefined;
  /** Takes out an element anywhere in the heap; one that has left already is ignored. */
  remove(entry: HeapEntry<T>): void;
  size(): number;
};

/**
 * A binary min-heap whose elements can also be removed from the middle, in O(log n).
 *
 * Cancelling is as common as coming due here (nearly every lock is released before it expires), so
 * entries that are merely marked as dead would pile up until their time came.
 */
export function createHeap<T>(before: (a: T, b: T) => boolean): Heap<T> {
  const entries: HeapEntry<T>[] = [];

  const place = (entry: HeapEntry<T>, position: number) => {
    entries[position] = entry;
    entry.position = position;
  };

  const rise = (entry: HeapEntry<T>) => {
    let position = entry.position;
    while (position > 0) {
      const parent = entries[(position - 1) >> 1]!;
      if (!before(entry.value, parent.value)) break;
      const parentPosition = parent.position;
      place(parent, position);
      position = parentPosition;
    }
    place(entry, position);
  };

  const sink = (entry: HeapEntry<T>) => {
    let position = entry.position;
    for (;;) {
      const left = entries[2 * position + 1];
      const right = entries[2 * position + 2];
      const child = left && right && before(right.value, left.value) ? right : left;
      if (!child || !before(child.value, entry.value)) break;
      const childPosition = child.position;
      place(child, position);
      position = childPosition;
    }
    place(entry, position);
  };

  const remove = (entry: HeapEntry<T>) => {
    if (entry.position < 0) return;
    const last = entries.pop()!;
    if (last !== entry) {
      place(last, entry.position);
      rise(last);
      sink(last);
    }
    entry.position = -1;
  };

  return {
    push(value) {
      const entry = { value, position: entries.length };
      entries.push(entry);
      rise(entry);
      return entry;
    },
    first: () => entries[0]?.value,
    shift() {
      const entry = entries[0];
      if (entry) remove(entry);
      return entry?.value;
    },
    remove,
    size: () => entries.length,
  };
}
