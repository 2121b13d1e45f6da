import { plain } from "./output.ts";

const gap = "  ";
const narrowest = 6;

/**
 * A table with a head line, columns as wide as they need to be; in `columns` characters the widest are cut to fit, but never
 * the first, which names the row. Cells are made {@link plain}.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[], columns = Infinity): string {
  const all = [head, ...rows.map((row) => row.map(plain))];
  const wanted = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const widths = fitting(wanted, columns - gap.length * (head.length - 1));
  return all
    .map(
      (row) =>
        `${row
          .map((cell, n) => fit(cell, widths[n] ?? 0))
          .join(gap)
          .trimEnd()}\n`,
    )
    .join("");
}

// Takes from the widest until all of them have room, and from none more than would leave nothing to read.
function fitting(wanted: readonly number[], room: number): number[] {
  const [first = 0, ...others] = wanted;
  const total = (): number => others.reduce((sum, width) => sum + width, first);
  while (total() > room && Math.max(...others) > narrowest) others[others.indexOf(Math.max(...others))]! -= 1;
  return [first, ...others];
}

function fit(cell: string, width: number): string {
  return cell.length > width ? `${cell.slice(0, width - 1)}…` : cell.padEnd(width);
}
