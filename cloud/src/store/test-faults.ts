/** A network between our clients and their service that loses what a test wants lost. Only tests load this file. */
// biome-ignore lint/correctness/noUndeclaredDependencies: the transport of both Azure clients; product code needs none of it.
import { createDefaultHttpClient, type HttpClient, RestError } from "@azure/core-rest-pipeline";
import type { RequestPolicyFactory } from "@azure/storage-blob";

export interface Faults {
  /** For the table client. */
  readonly httpClient: HttpClient;
  /** For the blob client. */
  readonly blobPolicy: RequestPolicyFactory;
  /** From now on nothing is sent: as far as the service can see, the process is dead. */
  dead: boolean;
  /** How many writes were sent. */
  readonly writes: number;
  /** Asked before each write. `lose`: not sent. `lose reply`: sent and applied, but no answer comes. `repeat`: as the clients do when no answer comes, sent again, and the second answer counts. `late`: no answer, and applied only just before the next write. `die`: both. */
  onWrite: (request: Sent, count: number) => Fate | Promise<Fate>;
  /** Added to the Date header of every answer: how late it is for this process. */
  dateShiftMs: number;
}
type Sent = { readonly method: string; readonly url: string };
export type Fate = "send" | "repeat" | "lose" | "lose reply" | "late" | "die before" | "die after";

const inner = createDefaultHttpClient();

export function faultyNetwork(): Faults {
  let writes = 0;
  let late: (() => Promise<unknown>) | undefined;
  const through = async <T>(request: Sent, send: () => Promise<T>): Promise<T> => {
    if (faults.dead) throw noAnswer();
    const overdue = late;
    const isWrite = request.method !== "GET" && request.method !== "HEAD";
    if (isWrite) {
      writes += 1;
      late = undefined;
      await overdue?.().catch(() => undefined);
    }
    const fate = isWrite ? await faults.onWrite(request, writes) : "send";
    if (fate === "die before") faults.dead = true;
    if (fate === "lose" || fate === "die before") throw noAnswer();
    if (fate === "late") {
      late = send;
      throw noAnswer();
    }
    const response = await send();
    if (fate === "repeat") return send();
    if (fate === "die after") faults.dead = true;
    if (fate !== "send") throw noAnswer();
    return response;
  };
  const faults: Faults = {
    dead: false,
    dateShiftMs: 0,
    onWrite: () => "send",
    get writes() {
      return writes;
    },
    blobPolicy: {
      create: (next) => ({ sendRequest: (request) => through(request, () => next.sendRequest(request)) }),
    },
    httpClient: {
      async sendRequest(request) {
        const response = await through(request, () => inner.sendRequest(request));
        const date = response.headers.get("date");
        if (date) response.headers.set("date", new Date(Date.parse(date) + faults.dateShiftMs).toUTCString());
        return response;
      },
    },
  };
  return faults;
}

const noAnswer = () => new RestError("the connection was reset", { code: RestError.REQUEST_SEND_ERROR });
