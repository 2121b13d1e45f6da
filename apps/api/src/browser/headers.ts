import type { App } from "../server.ts";

const nothing = "default-src 'none'; frame-ancestors 'none'";

/** What a page of podq's own may load: what is served beside it. Texts become elements only by way of its one library. */
export const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "trusted-types lit-html",
  "require-trusted-types-for 'script'",
].join("; ");

/** The same of bull-board, which writes styles into its page. */
export const dashboardPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'self'",
  "frame-ancestors 'none'",
].join("; ");

/** What every answer tells a browser: take it for what it says it is, keep it nowhere, show it in no other page, load nothing. */
export function addSecurityHeaders(app: App): void {
  app.addHook("onSend", async (_request, reply) => {
    reply.headers({
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "same-origin", // with no-referrer a form would not say which page it is on
      "cross-origin-resource-policy": "same-origin",
    });
    if (!reply.hasHeader("content-security-policy")) reply.header("content-security-policy", nothing);
    if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-store");
  });
}
