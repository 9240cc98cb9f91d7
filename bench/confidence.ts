/** The q-quantile of sorted numbers, linear between neighbours. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)]!;
  return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at));
}

export const median = (values: readonly number[]): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );

/** 95 % interval of a statistic by the bootstrap (2000 resamples, always the same ones). */
export function interval(values: readonly number[], statistic = median): [number, number] {
  let state = 1;
  const random = () => {
    state = (state * 48271) % 2147483647; // Lehmer's generator, MINSTD
    return state / 2147483647;
  };
  const found = Array.from({ length: 2000 }, () =>
    statistic(values.map(() => values[Math.floor(random() * values.length)]!)),
  ).sort((a, b) => a - b);
  return [quantile(found, 0.025), quantile(found, 0.975)];
}

/** "12.3 [11.9, 12.8]": a statistic and its interval. */
export function shown(values: readonly number[], digits = 1, statistic = median): string {
  const [low, high] = interval(values, statistic);
  return `${statistic(values).toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
}

/** One promise: what was wanted, what was found, kept or not. */
export function verdict(what: string, found: string, kept: boolean): boolean {
  console.log(`${kept ? 'kept  ' : 'MISSED'}  ${what}: ${found}`);
  return kept;
}
