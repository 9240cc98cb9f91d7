/** A value for people: three significant digits, thousands separated; a dash for none. */
export function shown(v: number | string | null | undefined): string {
  if (v === null || v === undefined) return '–';
  if (typeof v === 'string') return v;
  if (Number.isInteger(v)) return v.toLocaleString('en');
  const size = Math.abs(v);
  if (size >= 1000) return Math.round(v).toLocaleString('en');
  if (size >= 100) return v.toFixed(0);
  if (size >= 10) return v.toFixed(1);
  return String(Number(v.toPrecision(3)));
}
