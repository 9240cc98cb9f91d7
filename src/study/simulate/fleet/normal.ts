/** The normal distribution, both ways. */

/** Cumulative; Abramowitz and Stegun 26.2.17, error below 7.5e-8. */
export function phi(z: number): number {
  const x = Math.abs(z);
  const t = 1 / (1 + 0.2316419 * x);
  const poly = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const above = (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * poly;
  return z > 0 ? 1 - above : above;
}

/** Quantile; Abramowitz and Stegun 26.2.23, error below 4.5e-4. */
export function score(p: number): number {
  const q = Math.min(p, 1 - p);
  const t = Math.sqrt(-2 * Math.log(Math.max(q, 1e-12)));
  const z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  return p < 0.5 ? -z : z;
}

/** A standard normal deviate (Box and Muller). */
export function deviate(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
