import { AcgError } from './errors.ts';

const factors: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds from a duration: a decimal number and ms, s, m or h; a bare number is seconds ("500ms", "90s", "1.5m"). Throws ACG_USAGE. */
export function parseDuration(text: string): number {
  const m = /^(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m|h)?$/.exec(text.trim());
  if (!m)
    throw new AcgError('ACG_USAGE', `${JSON.stringify(text.slice(0, 80))} is not a duration such as 500ms, 90s or 2m`);
  return Math.round(Number(m[1]) * factors[m[2] ?? 's']!);
}

/** Milliseconds for people: "340 ms", "1.2 s", "75 s", "12 min". */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
