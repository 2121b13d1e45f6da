// Pure: what is shown of a record, in words.

/** `project/p1`. @param {{ project?: string, conversation?: string }} owner @returns {string} */
export function ownerText({ project, conversation }) {
  return project === undefined ? `conversation/${conversation}` : `project/${project}`;
}

/** Where a pod's page is. @param {{ owner: { project?: string, conversation?: string }, name: string }} pod @returns {string} */
export function podPath({ owner, name }) {
  return `/ui/pods/${[...ownerText(owner).split("/"), name].map(encodeURIComponent).join("/")}`;
}

const steps = /** @type {const} */ ([
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
]);

/** A time that has passed, in its largest unit: `3 min`. @param {number} ms @returns {string} */
export function lapse(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const [size, unit] = steps.find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** How long something took: finer than {@link lapse}. @param {number} ms @returns {string} */
export function took(ms) {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return minutes < 60 ? `${minutes} min ${Math.floor((ms % 60_000) / 1_000)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Bytes, as people say them. @param {number} count @returns {string} */
export function bytes(count) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, count)) / 10));
  return power === 0 ? `${count} ${count === 1 ? "byte" : "bytes"}` : `${(count / 1024 ** power).toFixed(1)} ${units[power]}`;
}

/** An address to go to; null for one that is none, or would run something. @param {string | null} text @returns {string | null} */
export function webAddress(text) {
  return text !== null && /^https?:$/.test(URL.canParse(text) ? new URL(text).protocol : "") ? text : null;
}

/**
 * Whether whoever serves an address hears the session of the pages that are under this name: a browser sends a cookie to every port of it.
 * @param {string} address @param {string} own @returns {boolean}
 */
export function hearsSession(address, own) {
  return new URL(address).hostname === own;
}

/** What was filled in of a form's fields, as a query; labels are given as they are. @param {URLSearchParams} given @returns {string} */
export function filled(given) {
  const kept = new URLSearchParams([...given].filter(([, value]) => value.trim() !== "").map(([key, value]) => [key, value.trim()]));
  return kept.size === 0 ? "" : `?${kept}`;
}
