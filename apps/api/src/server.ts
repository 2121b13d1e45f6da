import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import cookie from "@fastify/cookie";
import { PodqError, readError, type Context } from "@podq/client/handles";
import fastify, { LogController, type FastifyBaseLogger, type FastifyError, type FastifyInstance } from "fastify";
import {
  hasZodFastifySchemaValidationErrors,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import type { openQueueForDashboard } from "@podq/queue";
import type { Logger } from "pino";
import { identify, type Caller } from "./access.ts";
import { addDashboard } from "./browser/dashboard.ts";
import { addSecurityHeaders, dashboardPolicy } from "./browser/headers.ts";
import { addLogin, loginFor } from "./browser/login.ts";
import { addPages } from "./browser/pages.ts";
import { createFollowers } from "./followers.ts";
import { addBodyTime, addLimits } from "./limits.ts";
import { createMethods } from "./methods.ts";
import { describeRoutes } from "./openapi.ts";
import type { Metrics } from "./metrics.ts";
import { ApiError, problem, type Problem, type ProblemCode } from "./problem.ts";
import { addEventRoutes } from "./routes/events.ts";
import { addFileRoutes } from "./routes/files.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addHostRoutes } from "./routes/hosts.ts";
import { addJobRoutes } from "./routes/jobs.ts";
import { addOutputRoutes } from "./routes/output.ts";
import { addOwnerRoutes } from "./routes/owners.ts";
import { addPodRoutes } from "./routes/pods.ts";
import { addTemplateRoutes } from "./routes/templates.ts";
import { addTracing } from "./trace.ts";

declare module "fastify" {
  interface FastifyRequest {
    caller: Caller;
  }
}

/** The server with schemas for types. */
export type App = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>;

/** Bounds of a server: requests a minute of one caller, bytes of one body and its time, how long a browser stays signed in; and proxies to believe. */
export type ServerOptions = { rate: number; bodyBytes: number; bodyMs: number; sessionMs: number; proxies: readonly string[] };

/** What a stranger reaches; everything else takes a token or a session. */
const open = new Set(["/healthz", "/login", "/logout", "/ui/style.css"]);

const headBytes = 65_536;
const late = "ERR_HTTP_REQUEST_TIMEOUT";

/** Makes the server: access first, then the routes, then every error as a problem. Listens nowhere yet. */
export async function createServer(
  context: Context,
  queue: ReturnType<typeof openQueueForDashboard>,
  options: ServerOptions,
  log: Logger,
  metrics: Metrics,
): Promise<App> {
  const loggerInstance: FastifyBaseLogger = log;
  const app: App = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.bodyBytes,
    trustProxy: options.proxies.length > 0 && [...options.proxies],
    http: { maxHeaderSize: headBytes },
    clientErrorHandler: refuse,
    routerOptions: { maxParamLength: headBytes }, // the schemas say what is too long
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(async (error, request, reply) => {
    const told = problemOf(error as Error);
    if (told.status >= 500) log.error({ err: error, method: request.method, url: request.routeOptions.url }, "a request failed");
    if (told.code === "backlog-full") reply.header("retry-after", "5");
    if (told.status === 401) reply.header("www-authenticate", "Bearer");
    return reply.code(told.status).type("application/problem+json").send(JSON.stringify(told));
  });
  app.setNotFoundHandler(async () => {
    throw new ApiError("not-found", "there is no such path; see /docs");
  });

  app.addContentTypeParser("application/octet-stream", (_request, body, done) => done(null, body)); // a stream, of any length

  addTracing(app);
  metrics.observe(app);
  addSecurityHeaders(app);
  await app.register(cookie);
  const methods = createMethods();
  app.addHook("onRoute", (route) => methods.add(route.url, [route.method].flat()));
  app.decorateRequest("caller");
  addBodyTime(app, options.bodyMs, ({ raw }, reply) => {
    if (reply.raw.writableEnded) raw.destroy();
    else refuse(Object.assign(new Error("its time is over"), { code: late }), raw.socket);
  });
  const limits = await addLimits(app, options.rate);
  app.addHook("onRequest", async (request, reply) => {
    const { url = "" } = request.routeOptions;
    if (url === "/healthz") return;
    if (open.has(url)) return limits.count(request, reply);
    try {
      await limits.identified(request, reply, async () => identify(context.store, request));
    } catch (error) {
      const login = loginFor(error as Error, request);
      if (login === null) throw error;
      return reply.redirect(login, 303);
    }
    // A pod's name stands where its exec and events do, which take less.
    const unsure = request.is404 || url.endsWith("/:name");
    const taken = unsure ? methods.of(request.url.replace(/[?#].*$/s, "")) : [];
    if (taken.length === 0 || taken.includes(request.method)) return;
    reply.header("allow", taken.join(", "));
    throw new ApiError("method-not-allowed", `${request.method} is not for this path; it takes ${taken.join(", ")}`);
  });
  app.addHook("onResponse", async (request, reply) => {
    if (request.method === "GET" || request.method === "HEAD") return;
    const { method, caller, ip } = request;
    const { statusCode: status } = reply;
    if (caller === undefined && status === 429) return; // or strangers would fill the log
    const url = request.url.replace(/[?#].*$/s, ""); // a query may hold secrets
    log.info({ audit: true, token: caller?.token ?? null, ip, method, url, status, job: reply.getHeader("location") }, "write");
  });
  await describeRoutes(app, dashboardPolicy);

  const followers = createFollowers(context);
  app.addHook("onClose", async () => Object.values(followers).forEach(({ stop }) => stop()));
  addHealthRoutes(app, context, metrics);
  addPodRoutes(app, context);
  addHostRoutes(app, context);
  addOwnerRoutes(app, context);
  addTemplateRoutes(app, context);
  addFileRoutes(app, context);
  addJobRoutes(app, context, followers);
  addOutputRoutes(app, context);
  addEventRoutes(app, context, followers);
  await addLogin(app, context.store, options.sessionMs);
  await addPages(app, context.store);
  await addDashboard(app, queue, problemOf);
  return app;
}

// What is no request that a route could answer: too large a head, one that does not come to its end, or no HTTP at all.
function refuse(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const told = refusal(error.code);
  const body = JSON.stringify(told);
  const head = [`HTTP/1.1 ${told.status} ${STATUS_CODES[told.status]}`, "content-type: application/problem+json; charset=utf-8"];
  socket.write([...head, `content-length: ${Buffer.byteLength(body)}`, "connection: close", "", body].join("\r\n"));
  socket.destroySoon();
}

function refusal(code: string | undefined): Problem {
  if (code === "HPE_HEADER_OVERFLOW") return problem("head-too-large", `the request's line and headers are more than ${headBytes} bytes`);
  return code === late
    ? problem("request-too-slow", "the request did not come to its end in time")
    : problem("invalid-request", "that is no HTTP");
}

const httpCodes: Record<number, ProblemCode> = { 413: "body-too-large", 415: "unsupported-media-type" };

function problemOf(error: Error): Problem {
  if (error instanceof ApiError) return problem(error.code, error.message, error.field === undefined ? {} : { field: error.field });
  if (error instanceof PodqError) return problem(error.code, error.message, error.jobId === undefined ? {} : { jobId: error.jobId });
  if (hasZodFastifySchemaValidationErrors(error)) {
    const [first] = error.validation;
    const field = (first?.instancePath ?? "").slice(1).replaceAll("/", ".");
    return problem("invalid-request", `${field || "the request"}: ${first?.message ?? "is not valid"}`, field ? { field } : {});
  }
  const { statusCode = 500 } = error as Partial<FastifyError>;
  if (statusCode >= 400 && statusCode < 500)
    return { ...problem(httpCodes[statusCode] ?? "invalid-request", error.message), status: statusCode };
  if (readError(error) !== error) return problem("unavailable", "podq's databases cannot be reached; try again"); // strangers read it: no names
  return problem("internal", "podq failed at this request; its log says why");
}
