/** Statistics, pure: quantiles, intervals, tests. The same seed gives the same figures. */
export { average, bootstrap, contrast, type Estimate, median, type Statistic } from './bootstrap.ts';
export { mean, pearson, quantile, quantileOfSorted, seeded } from './numbers.ts';
export { holm, type Permutation, permutationTest } from './permutation.ts';
export { enoughFor, proportion, tail } from './proportion.ts';
