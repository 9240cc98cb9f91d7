import { formatSize } from '../model/index.ts';

/** Prints a result for a program: one JSON document on stdout. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, process.stdout.isTTY ? 2 : 0)}\n`);
}

/** A plain aligned table for people. Columns whose cells are all numbers-with-unit read better to the right: say so in `right`. */
export function table(head: string[], rows: string[][], right: number[] = []): string {
  const width = head.map((h, i) => Math.max(h.length, ...rows.map((r) => (r[i] ?? '').length)));
  const line = (cells: string[]) =>
    cells
      .map((c, i) => (right.includes(i) ? c.padStart(width[i]!) : c.padEnd(width[i]!)))
      .join('  ')
      .trimEnd();
  return [line(head), line(width.map((w) => '-'.repeat(w))), ...rows.map(line)].join('\n');
}

/** Shows once, or with `watch` again every second on a cleared screen, until interrupted. */
export async function watching(watch: boolean | undefined, show: () => Promise<void>): Promise<void> {
  if (!watch) return show();
  for (;;) {
    if (process.stdout.isTTY) process.stdout.write('\u001b[H\u001b[2J');
    await show();
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** A size in a table; "-" where it was not measured. */
export function sizeCell(bytes: number | undefined): string {
  return bytes === undefined ? '-' : formatSize(bytes);
}

/** A command on one line of at most 60 characters. Commands come from agents: no control character reaches the terminal. */
export function oneLine(command: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const clean = command.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return clean.length > 60 ? `${clean.slice(0, 59)}…` : clean;
}
