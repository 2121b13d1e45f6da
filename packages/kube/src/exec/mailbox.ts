/** A queue with one reader: what is put in comes out in order, waited for no longer than asked. */
export class Mailbox<T> {
  readonly #letters: T[] = [];
  #reader: ((letter: T | undefined) => void) | undefined;

  put(letter: T): void {
    if (this.#reader) this.#reader(letter);
    else this.#letters.push(letter);
  }

  /** The next letter, or undefined when `timeoutMs` passed without one. */
  take(timeoutMs: number): Promise<T | undefined> {
    if (this.#letters.length > 0) return Promise.resolve(this.#letters.shift());
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#reader?.(undefined), Math.min(timeoutMs, 2 ** 31 - 1));
      this.#reader = (letter) => {
        clearTimeout(timer);
        this.#reader = undefined;
        resolve(letter);
      };
    });
  }
}
