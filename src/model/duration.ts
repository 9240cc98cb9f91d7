import { AcgError } from './errors.ts';

const factors: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds from a duration: a decimal number and ms, s, m or h; a bare number is seconds ("500ms", "90s", "1.5m"). Throws ACG_USAGE. */
export function parseDuration(text: string): number {
  const m = /^(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m|h)?$/.exec(text.trim());
  if (!m)
    throw new AcgError('ACG_USAGE', `${JSON.stringify(text.slice(0, 80))} is not a duration such as 500ms, 90s or 2m`);
  return Math.round(Number(m[1]) * factors[m[2] ?? 's']!);
}
