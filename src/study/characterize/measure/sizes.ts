/**
 * How the data set's authors read memory sizes, kept as named rules so that the paper's figures can be computed as the
 * paper computed them. They start from the text `podman stats` printed. Where a trace has not kept it, it is recovered from
 * the bytes: it has four significant digits at most, so the bytes hold all of it.
 */

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** The text `podman stats` prints for so many bytes: powers of 1000, four significant digits, no trailing zeros. */
export function podmanText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}

/**
 * Megabytes by the slicing rule: the last three characters are cut off before the number is read, so that "195.7MB" is
 * 195 and "185MB" is 18; a gigabyte counts 1024; units other than MB and GB count nothing.
 */
export function slicedMegabytes(text: string): number {
  const value = Number.parseFloat(text.slice(0, -3));
  if (!Number.isFinite(value)) return 0;
  if (text.endsWith('GB')) return value * 1024;
  return text.endsWith('MB') ? value : 0;
}

export const megabytes = (bytes: number): number => bytes / 1e6;
