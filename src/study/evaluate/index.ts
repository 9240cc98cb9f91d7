/** Honest experiments: scenarios, arms, runs and what they show. */
export * from './types.ts';
