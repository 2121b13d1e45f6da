import { AnsiUp } from "./ansi_up.js";

/** @typedef {{ text: string, classes: string[], color: string | null, background: string | null }} Span */

const longestSequence = 4_096;
// What moves a cursor or rings a bell has no place here. Line ends, returns and tabs are left for others.
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const controls = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g;

/**
 * Reads what a command wrote for a terminal, as pieces of text with their colours. Sequences may be cut anywhere. No HTML is
 * made: what the library finds is taken before it would make some.
 */
export class AnsiReader extends AnsiUp {
  /** @type {Span[]} */
  #spans = [];

  /** @param {string} text @returns {Span[]} */
  read(text) {
    this.#spans = [];
    this.ansi_to_html(text);
    // A sequence that never ends is none.
    const held = /** @type {{ _buffer: string }} */ (/** @type {unknown} */ (this));
    if (held._buffer.length > longestSequence) held._buffer = held._buffer.slice(1);
    return this.#spans;
  }

  /** @override @protected @param {import("./ansi_up.js").Fragment} fragment @returns {string} */
  transform_to_html({ text, bold, faint, italic, underline, fg, bg }) {
    const plain = text.replace(controls, "");
    if (plain === "") return "";
    const classes = Object.entries({ bold, faint, italic, underline }).flatMap(([name, on]) => (on ? [`ansi-${name}`] : []));
    /** @param {import("./ansi_up.js").Colour | null} one @param {string} where @returns {string | null} */
    const colour = (one, where) => {
      if (one === null) return null;
      if (one.class_name === "truecolor") return `rgb(${one.rgb.join(",")})`;
      classes.push(`${one.class_name}-${where}`);
      return null;
    };
    this.#spans.push({ text: plain, classes, color: colour(fg, "fg"), background: colour(bg, "bg") });
    return "";
  }

  // A link in an output leads wherever its writer likes; its text is shown.
  /** @override @protected @param {{ text: string }} packet @returns {string} */
  process_hyperlink({ text }) {
    return this.transform_to_html(this.with_state({ text }));
  }
}
