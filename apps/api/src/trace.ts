import { context, propagation, SpanKind, SpanStatusCode, trace, type Span } from "@opentelemetry/api";
import type { App } from "./server.ts";

const tracer = trace.getTracer("podq");

/** Each request as a span, in the trace of a caller who sends a `traceparent`. Goes before all other hooks. */
export function addTracing(app: App): void {
  const spans = new WeakMap<object, Span>();
  // By callbacks, since what follows a hook runs in what its `done` is called in.
  app.addHook("onRequest", (request, _reply, done) => {
    const { method, routeOptions, headers } = request;
    const route = routeOptions.url ?? "none";
    const caller = propagation.extract(context.active(), headers);
    const attributes = { "http.request.method": method, "http.route": route };
    const span = tracer.startSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, caller);
    spans.set(request, span);
    context.with(trace.setSpan(caller, span), done);
  });
  app.addHook("onResponse", (request, { statusCode }, done) => {
    const span = spans.get(request);
    span?.setAttribute("http.response.status_code", statusCode);
    if (statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR });
    span?.end();
    done();
  });
}
