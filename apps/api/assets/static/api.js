/** @typedef {{ token: string | null, label: string | null, scope: "read" | "run" | "admin", owners: string[] | null }} Me */

/** An answer that says no, in the API's own words. */
export class Refused extends Error {
  /** @param {string} message @param {number} status */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Goes to sign in, and comes back here. */
export function signIn() {
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/**
 * Asks the API as whoever is signed in. Throws Refused, or what fetch throws when it cannot be reached.
 * @param {string} path @param {RequestInit} [options] @returns {Promise<Response>}
 */
export async function open(path, options) {
  const response = await fetch(path, options);
  if (response.ok) return response;
  if (response.status === 401) signIn();
  const told = await response.json().catch(() => ({}));
  throw new Refused(String(told.detail ?? response.statusText), response.status);
}

/** The same, for JSON. @param {string} path @param {RequestInit} [options] @returns {Promise<any>} */
export async function ask(path, options) {
  return (await open(path, options)).json();
}

/** Sends JSON. @param {string} path @param {object} body @returns {Promise<any>} */
export async function post(path, body) {
  return ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}
