import { AcgError } from './errors.ts';

const factors: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/**
 * Bytes from a size as the kernel's memparse and systemd write it: a decimal number, optionally a fraction, and k, m, g
 * or t in powers of 1024, with an optional `i` and `B` ("512m", "1.5G", "2GiB", "4096"). Throws ACG_SIZE.
 * Podman's and Docker's decimal "185.3MB" is another language: the trace importers read that one.
 */
export function parseSize(text: string): number {
  const m = /^(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)(?:ib?|b)?$/i.exec(text.trim());
  const bytes = m ? Math.floor(Number(m[1]) * factors[m[2]!.toLowerCase()]!) : Number.NaN;
  if (!Number.isSafeInteger(bytes)) throw new AcgError('ACG_SIZE', JSON.stringify(text.slice(0, 80)));
  return bytes;
}

/** Bytes for people, in powers of 1024 with two or three significant digits: "512 MiB", "1.4 GiB". */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
