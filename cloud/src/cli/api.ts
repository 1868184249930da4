/** Calls to the orchestrator's API: HTTPS only, bounded answers, every answer checked before anything else reads it. */
import https from "node:https";
import { getCACertificates } from "node:tls";
import { parseJson } from "@sallyport/shared/json.ts";
import { problem } from "@sallyport/shared/schema/api.ts";
import { z } from "zod";
import { ApiProblem, CliError, EXIT } from "./exit.ts";
import { environment, type Settings } from "./settings.ts";

/** Throws ApiProblem for a no of the orchestrator, CliError when there was no answer of its. Paths are below `/api/v1`. */
export interface Api {
  get<T extends z.ZodType>(path: string, answer: T): Promise<z.infer<T>>;
  /** A list, all of its pages, or so many of its items. */
  list<T extends z.ZodType>(path: string, item: T, most?: number): Promise<z.infer<T>[]>;
  post<T extends z.ZodType>(path: string, body: unknown, answer: T): Promise<z.infer<T>>;
  /** `etag`: of what is replaced; the call is refused when it is another by now. */
  put<T extends z.ZodType>(path: string, body: unknown, answer: T, etag?: string): Promise<z.infer<T>>;
  delete<T extends z.ZodType>(path: string, answer: T): Promise<z.infer<T>>;
  /** Closes what is kept open between calls. */
  close(): void;
}

const MAX_ANSWER_BYTES = 64 * 2 ** 20;
/** Longer than the longest that the orchestrator waits for a request's result. */
const TIMEOUT_MS = 60_000;

export function connectApi({ origin, key, caPem }: Settings): Api {
  const agent = new https.Agent({
    keepAlive: true,
    minVersion: "TLSv1.2",
    // Said here, NODE_TLS_REJECT_UNAUTHORIZED in somebody's environment does not give the key to whoever answers.
    rejectUnauthorized: true,
    // The default ones hold those of NODE_EXTRA_CA_CERTS.
    ...(caPem === undefined ? {} : { ca: [...getCACertificates("default"), caPem] }),
    // HTTPS_PROXY and NO_PROXY, as other tools read them.
    proxyEnv: environment,
  });
  async function call<T extends z.ZodType>(
    method: string,
    path: string,
    body: unknown,
    answer: T,
    etag?: string,
  ): Promise<z.infer<T>> {
    return (await callFor(method, `/api/v1${path}`, body, answer, etag)).value;
  }
  async function callFor<T extends z.ZodType>(
    method: string,
    path: string,
    body: unknown,
    answer: T,
    etag?: string,
  ): Promise<{ readonly value: z.infer<T>; readonly next: string | undefined }> {
    const { status, text, link } = await send(agent, `${origin}${path}`, { method, key, body, etag });
    const json = parseJson(text);
    if (status < 200 || status > 299) {
      const told = problem.safeParse(json);
      if (told.success) throw new ApiProblem(told.data);
      const next =
        "Something between here and the orchestrator answered, or it is starting: check SALLYPORT_URL, then try again.";
      throw new CliError(
        EXIT.unreachable,
        `${origin} answered ${status}, which is no answer of an orchestrator.`,
        next,
      );
    }
    const understood = answer.safeParse(json);
    if (understood.success) return { value: understood.data, next: nextPage(link) };
    const field = understood.error.issues[0]?.path.join(".") || "body";
    const next = "Use the sallyportctl of the orchestrator's version.";
    throw new CliError(EXIT.internal, `${origin} answered what this version does not understand (${field}).`, next);
  }
  return {
    get: (path, answer) => call("GET", path, undefined, answer),
    async list(path, item, most = Number.POSITIVE_INFINITY) {
      const found: z.infer<typeof item>[] = [];
      let next: string | undefined = `/api/v1${path}`;
      while (next !== undefined && found.length < most) {
        const page: { value: z.infer<typeof item>[]; next: string | undefined } = await callFor(
          "GET",
          next,
          undefined,
          z.array(item),
        );
        found.push(...page.value);
        next = page.next;
      }
      return found.slice(0, most);
    },
    post: (path, body, answer) => call("POST", path, body, answer),
    put: (path, body, answer, etag) => call("PUT", path, body, answer, etag),
    delete: (path, answer) => call("DELETE", path, undefined, answer),
    close: () => agent.destroy(),
  };
}

/** The address of the next page (RFC 8288), which stays below ours: the key goes nowhere else. */
const nextPage = (link: string | undefined): string | undefined =>
  /^<(\/api\/v1\/[^>]*)>; rel="next"$/.exec(link ?? "")?.[1];

interface Sent {
  readonly method: string;
  readonly key: string;
  readonly body: unknown;
  readonly etag: string | undefined;
}

interface Answered {
  readonly status: number;
  readonly text: string;
  readonly link: string | undefined;
}

function send(agent: https.Agent, url: string, { method, key, body, etag }: Sent): Promise<Answered> {
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  const headers = {
    authorization: `Bearer ${key}`,
    accept: "application/json",
    ...(etag === undefined ? {} : { "if-match": etag }),
    ...(bytes === undefined ? {} : { "content-type": "application/json", "content-length": bytes.byteLength }),
  };
  const request = https.request(
    url,
    { agent, method, headers, signal: AbortSignal.timeout(TIMEOUT_MS) },
    (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.byteLength;
        if (size > MAX_ANSWER_BYTES) response.destroy(new Error("the answer is larger than 64 MiB"));
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(chunks).toString("utf8"),
          link: response.headers.link as string | undefined,
        }),
      );
    },
  );
  request.on("error", reject);
  request.end(bytes);
  return promise.catch((thrown: Error) => {
    throw unreachable(new URL(url).origin, thrown);
  });
}

/** Codes of OpenSSL that mean: nobody whom this machine trusts vouches for that server. */
const UNTRUSTED = /^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_(GET_ISSUER|VERIFY)|CERT_)/;

function unreachable(origin: string, thrown: Error): CliError {
  const { code = "" } = thrown as NodeJS.ErrnoException;
  const why = thrown.name === "TimeoutError" ? `no answer within ${TIMEOUT_MS / 1000} s` : thrown.message || code;
  const next = UNTRUSTED.test(code)
    ? "Its certificate is of an authority unknown here: name its file with --ca, or in NODE_EXTRA_CA_CERTS."
    : "Check SALLYPORT_URL, the network, and that the function app runs.";
  return new CliError(EXIT.unreachable, `${origin} did not answer: ${why}`, next);
}
