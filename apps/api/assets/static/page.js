import { Refused } from "./api.js";
import { render } from "./lit-html.js";

const root = /** @type {HTMLElement} */ (document.getElementById("main"));
const said = /** @type {HTMLElement} */ (document.getElementById("said"));

let filled = false;

/** Fills the page, in place of whatever it began with. @param {unknown} view */
export function draw(view) {
  if (!filled) root.replaceChildren();
  filled = true;
  render(view, root);
}

/** Tells what went wrong, or with an empty text that all is well again. @param {string} text */
export function say(text) {
  if (said.textContent !== text) said.textContent = text;
}

/** What went wrong, in words. @param {unknown} error @returns {string} */
export function inWords(error) {
  if (error instanceof Refused) return error.message;
  return "podq cannot be reached; trying again.";
}

/** The name of the page. @param {string} text */
export function title(text) {
  document.title = `${text} · podq`;
}

/**
 * Shows something again and again while somebody looks, until `show` says that it is done or the API says no for good.
 * @param {() => Promise<boolean | void>} show @param {number} everyMs
 */
export async function keepShowing(show, everyMs) {
  for (;;) {
    try {
      const done = await show();
      say("");
      if (done === true) return;
    } catch (error) {
      say(inWords(error));
      if (error instanceof Refused && error.status < 500 && error.status !== 429) {
        if (!filled) root.replaceChildren();
        return;
      }
      await pause(1_000);
    }
    await pause(everyMs);
    if (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  }
}

const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
