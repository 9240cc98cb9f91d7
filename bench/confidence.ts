import { bootstrap, median, quantileOfSorted as quantile } from '../src/study/statistics/index.ts';

export { median, quantile };

/** 95 % interval of a statistic by the bootstrap (2000 resamples, always the same ones). */
export function interval(values: readonly number[], statistic = median): [number, number] {
  const { low, high } = bootstrap(values, statistic);
  return [low, high];
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
