import type { Cause } from "./api-error.ts";

/** What a name of most kinds of object must be. */
export const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an " +
  "alphanumeric character (e.g. 'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/** What a name within a host name must be. */
export const LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric " +
  "character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/** A value that may not be. */
export const bad = (field: string, value: unknown, why: string): Cause => ({
  field,
  reason: "FieldValueInvalid",
  why: `Invalid value: ${JSON.stringify(value)}: ${why}`,
});

/** A value that must be. */
export const required = (field: string, why = ""): Cause => ({
  field,
  reason: "FieldValueRequired",
  why: `Required value${why === "" ? "" : `: ${why}`}`,
});

/** A value that may not be there. */
export const forbidden = (field: string, why: string): Cause => ({ field, reason: "FieldValueForbidden", why: `Forbidden: ${why}` });
