import { Refused } from "./api.js";
import { html, render } from "./lit-html.js";

const root = /** @type {HTMLElement} */ (document.getElementById("main"));
const said = /** @type {HTMLElement} */ (document.getElementById("said"));

const nothingToShow = html`<div class="head"><h1>Nothing to show</h1></div>
  <p>The message above says why. <a href="/ui">All pods</a>, <a href="/ui/jobs">all jobs</a></p>`;
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

/** Resolves as soon as somebody looks at the page. */
export async function seen() {
  while (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

/**
 * Shows something again and again while somebody looks, until `show` says that it is done or the API says no for good.
 * @param {() => Promise<boolean | void>} show @param {number} everyMs
 */
export async function keepShowing(show, everyMs) {
  let told = "";
  for (;;) {
    try {
      const done = await show();
      if (told !== "" && said.textContent === told) say("");
      if (done === true) return;
    } catch (error) {
      say((told = inWords(error)));
      if (error instanceof Refused && error.status < 500 && error.status !== 429) {
        if (!filled) draw(nothingToShow);
        return;
      }
      await pause(1_000);
    }
    await pause(everyMs);
    await seen();
  }
}

const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
