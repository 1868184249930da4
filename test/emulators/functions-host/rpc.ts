/**
 * The values that cross between a Functions host and its Node worker, as far as this host uses them.
 * Source: `@azure/functions` 4.16.5, `src/converters`, which reads and writes exactly these members of the host's
 * gRPC messages (azure-functions-language-worker-protobuf).
 */

export type RpcTypedData = {
  string?: string;
  json?: string;
  bytes?: Uint8Array;
  int?: number;
  double?: number;
  http?: RpcHttpData;
};

export type RpcNullable<T> = { value: T };

export type RpcHttpCookie = {
  name?: string;
  value?: string;
  domain?: RpcNullable<string>;
  path?: RpcNullable<string>;
  expires?: RpcNullable<{ seconds: number }>;
  secure?: RpcNullable<boolean>;
  httpOnly?: RpcNullable<boolean>;
  sameSite?: "none" | "lax" | "strict" | "explicitNone";
  maxAge?: RpcNullable<number>;
};

export type RpcHttpData = {
  method?: string;
  url?: string;
  body?: RpcTypedData | null | undefined;
  nullableHeaders?: Record<string, RpcNullable<string>>;
  nullableQuery?: Record<string, RpcNullable<string>>;
  nullableParams?: Record<string, RpcNullable<string>>;
  statusCode?: string;
  headers?: Record<string, string>;
  cookies?: RpcHttpCookie[];
};

export type BindingInfo = { type: string; direction?: "in" | "out" | "inout" } & Record<string, unknown>;

export type FunctionMetadata = { name: string; bindings: Record<string, BindingInfo> };

export type FunctionCallback = (...args: unknown[]) => unknown;

export type RegisteredFunction = { metadata: FunctionMetadata; callback: FunctionCallback };

/** What one run of a function is given: the trigger's value under its binding's name, and facts about it. */
export type InvocationInput = {
  inputData: { name: string; data: RpcTypedData }[];
  triggerMetadata: Record<string, RpcTypedData>;
};

export type InvocationOutput = {
  outputData?: { name: string; data: RpcTypedData }[];
  returnValue?: RpcTypedData | null | undefined;
};

export type LogLevel = "trace" | "debug" | "information" | "warning" | "error" | "critical" | "none";

export type LogCategory = "user" | "system" | "customMetric";

export type CoreInvocationContext = {
  invocationId: string;
  request: InvocationInput & { invocationId: string };
  metadata: FunctionMetadata;
  state: "preInvocationHooks" | "invocation" | "postInvocationHooks" | undefined;
  log(level: LogLevel, category: LogCategory, message: string): void;
};

export type InvocationModel = {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], callback: FunctionCallback): Promise<unknown>;
  getResponse(context: unknown, result: unknown): Promise<InvocationOutput>;
};

export type ProgrammingModel = {
  name: string;
  version: string;
  getInvocationModel(context: CoreInvocationContext): InvocationModel;
  getCapabilities(capabilities: Record<string, string>): Promise<Record<string, string>>;
};
