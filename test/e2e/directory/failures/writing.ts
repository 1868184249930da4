/** Changes that a directory refuses, or does not answer. */
import { STAFF } from "@sallyport/agent/src/connectors/ldap/test-directory.ts";
import { int, octets, sequence, tlv } from "../../../emulators/ldap/ber.ts";
import type { Failure } from "./failure.ts";
import type { Stage } from "./stage.ts";

const KARI = `CN=kari,${STAFF}`;
const set = (attribute: string, value: string) => [{ attribute, do: "set", values: [value] }];
const MODIFY = { action: "modify", object: KARI, changes: set("department", "Salg") };
const PASSWORD = { action: "setPassword", object: KARI, password: "Fjell-2026-Multer!" };
const ADD = { action: "add", object: `CN=ny,${STAFF}`, attributes: { sAMAccountName: ["ny"] } };
const DELETE = { action: "delete", object: KARI };

/** The directory answers the change with this result; without one it goes away. */
const answering =
  (wish: object, code?: number, diagnostic = "") =>
  async (stage: Stage) => {
    const { ldap, target } = await stage.directory();
    ldap.store.add(KARI, "user", { sAMAccountName: "kari" });
    ldap.emulated.onMessage = ({ id, tag, send }) => {
      if (![0x66, 0x68, 0x4a, 0x6c].includes(tag)) return undefined;
      const answer = tag === 0x4a ? 0x6b : tag + 1;
      if (code === undefined) ldap.cut();
      else send(sequence(int(id), tlv(answer, int(code, 0x0a), octets(""), octets(diagnostic))));
      return "swallow";
    };
    await stage.write(target(), wish);
  };

type Row = Omit<Failure, "ends" | "wire">;

const ROWS: readonly Row[] = [
  {
    name: "a value that is none for its attribute",
    code: "request.invalid",
    message: "A value is none for userAccountControl.",
    meet: answering({ ...MODIFY, changes: set("userAccountControl", "abc") }),
  },
  {
    name: "an attribute that the schema does not have",
    code: "request.invalid",
    message: "The directory's schema has no noSuch to write.",
    meet: answering({ ...MODIFY, changes: set("noSuch", "x") }),
  },
  {
    name: "an object that there is not",
    code: "directory.not_found",
    message: "The object is not there, or hidden.",
    meet: answering({ ...MODIFY, object: `CN=no,${STAFF}` }),
  },
  {
    name: "a value that the directory does not take (result 19)",
    code: "directory.value_invalid",
    message: "The directory does not take a value.",
    meet: answering(MODIFY, 19),
  },
  {
    name: "a value of the wrong form (result 21)",
    code: "directory.value_invalid",
    message: "The directory does not take a value.",
    meet: answering(MODIFY, 21),
  },
  {
    name: "a value that is not there (result 16)",
    code: "directory.value_invalid",
    message: "An attribute has no such value.",
    meet: answering(MODIFY, 16),
  },
  {
    name: "a value that is there already (result 20)",
    code: "directory.value_invalid",
    message: "An attribute has that value already.",
    meet: answering(MODIFY, 20),
  },
  {
    name: "an attribute that the class does not have (result 17)",
    code: "directory.value_invalid",
    message: "The object's class has no such attribute.",
    meet: answering(MODIFY, 17),
  },
  {
    name: "an object that would not be one of its class (result 65)",
    code: "directory.value_invalid",
    message: "The object would not be one of its class.",
    meet: answering(ADD, 65),
  },
  {
    name: "a name that a modification would change: use `rename` (result 67)",
    code: "directory.value_invalid",
    message: "The object's name is changed by a rename only.",
    meet: answering(MODIFY, 67),
  },
  {
    name: "an object of that name, or with that account name (result 68)",
    code: "directory.exists",
    message: "There is another object of that name, or with that account name.",
    meet: answering(ADD, 68),
  },
  {
    name: "an object with others below it (result 66)",
    code: "directory.not_empty",
    message: "The object has others below it.",
    meet: answering(DELETE, 66),
  },
  {
    name: "a right that is missing to write attributes",
    code: "directory.permission",
    message: "The login lacks a right in the directory: Write property, of each attribute.",
    meet: answering(MODIFY, 50),
  },
  {
    name: "a right that is missing to make objects",
    code: "directory.permission",
    message: "The login lacks a right in the directory: Create child objects of this class.",
    meet: answering(ADD, 50),
  },
  {
    name: "a right that is missing to set passwords",
    code: "directory.permission",
    message: "The login lacks a right in the directory: Reset password.",
    meet: answering(PASSWORD, 50),
  },
  {
    name: "a password that is too short, too simple, too young or was used before (result 19)",
    code: "directory.password_policy",
    message: "The password is too short, too simple, too young or was used before, says the domain.",
    meet: answering(PASSWORD, 19),
  },
  {
    name: "the same as Windows says it (result 53, `52d`)",
    code: "directory.password_policy",
    message: "The password is too short, too simple, too young or was used before, says the domain.",
    meet: answering(PASSWORD, 53, "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0\n\0"),
  },
  {
    name: "a password that goes only where nobody can read along (result 8)",
    code: "directory.signing_required",
    message: "The directory wants signed or encrypted connections.",
    meet: answering(PASSWORD, 8),
  },
  {
    name: "a change that the directory has no time for (result 51)",
    code: "directory.busy",
    message: "The directory is busy.",
    meet: answering(MODIFY, 51),
  },
  {
    name: "an end before the answer to a change that was sent",
    code: "write.outcome_unknown",
    message: "The directory's answer to the change did not come.",
    meet: answering(MODIFY),
  },
];

export const WRITING: readonly Failure[] = ROWS.map((row) => ({ ...row, ends: "answer", wire: "tls" }));
