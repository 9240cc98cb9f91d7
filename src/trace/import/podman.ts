/**
 * Numbers as `podman stats` and `docker stats` print them: SI units (powers of 1000), four significant digits, about one
 * value in ten without a decimal point ("185MB"). Docker prints binary units ("512MiB"). Undefined when it is no size.
 */
const unit: Record<string, number> = { b: 1 };
for (const [i, p] of ['k', 'm', 'g', 't', 'p'].entries()) {
  unit[`${p}b`] = 1000 ** (i + 1);
  unit[`${p}ib`] = 1024 ** (i + 1);
}

/** Bytes of one size: "195.7MB" is 195,700,000. */
export function podmanSize(text: string): number | undefined {
  const m = /^\s*(\d+(?:\.\d+)?)\s*([kmgtp]?i?b)\s*$/i.exec(text);
  const bytes = m ? Number(m[1]) * (unit[m[2]!.toLowerCase()] ?? Number.NaN) : Number.NaN;
  // the product of a decimal fraction is not exact (185.3 * 1e6): sizes are whole bytes
  return Number.isFinite(bytes) ? Math.round(bytes) : undefined;
}

/** "185.3MB / 134.5GB" as used and limit, bytes. "0B / 0B" is what remains of a container that has gone. */
export function podmanUsage(text: string): { used: number; limit: number; gone: boolean } | undefined {
  const [left, right, ...more] = text.split('/');
  if (left === undefined || right === undefined || more.length) return undefined;
  const used = podmanSize(left);
  const limit = podmanSize(right);
  return used === undefined || limit === undefined ? undefined : { used, limit, gone: used === 0 && limit === 0 };
}

/** "13.82%" as 13.82. */
export function podmanPercent(text: string): number | undefined {
  const m = /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(text);
  return m ? Number(m[1]) : undefined;
}
