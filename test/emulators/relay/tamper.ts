import type { MessageFault } from "./fault-rules.ts";
import type { Message } from "./lane.ts";

/** Applies message faults: called with each message of one direction in turn, returns what to pass on instead. */
export function makeTamper(faultFor: (nth: number) => MessageFault | undefined): (message: Message) => Message[] {
  let nth = 0;
  let postponed: Message[] = [];
  return (message) => {
    nth += 1;
    const after = postponed;
    postponed = [];
    const fault = faultFor(nth);
    switch (fault?.do) {
      case undefined:
        return [message, ...after];
      case "alter":
        return [flipOneBit(message), ...after];
      case "drop":
        return after;
      case "repeat":
        return [message, message, ...after];
      case "reorder":
        postponed = [message];
        return after;
      default:
        fault?.do satisfies undefined;
        return [];
    }
  };
}

/** Flips the lowest bit of the middle byte; ASCII text stays ASCII. */
function flipOneBit({ data, binary }: Message): Message {
  const altered = Buffer.from(data);
  const middle = altered.length >> 1;
  if (altered.length > 0) altered.writeUInt8(altered.readUInt8(middle) ^ 1, middle);
  return { data: altered, binary };
}
