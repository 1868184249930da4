/** Kerberos for this session: the login is sealed to the sign-in child's key, so that the supervisor between cannot read it. */
import { fromBase64url, toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { seal } from "@sallyport/shared/crypto/envelope.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Kerberos, KerberosStep } from "../connectors/ldap/sign-in/kerberos.ts";
import { type FromSignIn, SIGN_IN_INFO, sealedLogin, toSignIn } from "../pipe/sign-in-messages.ts";
import type { Supervisor } from "./supervisor-link.ts";

const NO_BYTES = new Uint8Array();

export function createKerberos(supervisor: Pick<Supervisor, "signIn">): Kerberos {
  return {
    async start({ channelBinding = NO_BYTES, ...login }) {
      const asked = await supervisor.signIn();
      if (asked.say !== "key") return stepOf(asked);
      const text = sealedLogin.safeParse({ ...login, channelBinding: toBase64url(channelBinding) });
      // What it does not take would be told by its process's end.
      if (!text.success)
        throw new SallyportError("directory.login_form", "Kerberos does not take a login like this one.");
      const publicKey = fromBase64url(asked.key) ?? NO_BYTES;
      const plaintext = Buffer.from(JSON.stringify(text.data));
      const { enc, ciphertext } = await seal(publicKey, SIGN_IN_INFO, NO_BYTES, plaintext);
      return stepOf(
        await supervisor.signIn({ say: "start", enc: toBase64url(enc), ciphertext: toBase64url(ciphertext) }),
      );
    },
    async answer(token) {
      const answer = toSignIn.safeParse({ say: "answer", token: toBase64url(token) });
      if (!answer.success) throw new SallyportError("directory.protocol", "The directory's token is too large.");
      return stepOf(await supervisor.signIn(answer.data));
    },
  };
}

function stepOf(said: FromSignIn): KerberosStep {
  if (said.say === "failed") return { why: said.why, number: said.number };
  if (said.say === "token") return { token: fromBase64url(said.token) ?? NO_BYTES, isDone: said.isDone };
  return { why: "failed", number: 0 };
}
