import rhea from "rhea";

// .NET writes the first three groups of a GUID in little-endian order. Service Bus does so in
// delivery tags, but not in the requests and answers of $management.
const DOTNET_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** The delivery tag of a lock token. */
export function deliveryTag(lockToken: string): Buffer {
  const bytes = rhea.string_to_uuid(lockToken);
  return Buffer.from(DOTNET_ORDER.map((index) => bytes[index]!));
}
