/** Honest experiments: scenarios, arms, runs and what they show. */
export { type Arm, armNamed, arms, type Host } from './arms/index.ts';
export { conduct, type ExperimentOptions } from './conduct.ts';
export { keyOf, makePlan, readRuns } from './plan.ts';
export { checkScenario, hashOf, loadScenario } from './scenario.ts';
export * from './types.ts';
export { RAW_FILE, work } from './worker.ts';
