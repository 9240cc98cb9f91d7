/** Honest experiments: scenarios, arms, runs and what they show. */
export { type Arm, armNamed, arms, type Host } from './arms/index.ts';
export { conduct, type ExperimentOptions } from './conduct.ts';
export { datasetFolder, fetchDataset } from './dataset.ts';
export { byPriority, overlap } from './measure.ts';
export { runsToParquet } from './parquet.ts';
export { keyOf, makePlan, readRuns } from './plan.ts';
export { checkScenario, hashOf, loadScenario, type PlannedSession, planSessions, type Source } from './scenario.ts';
export { readSamples, rungsAsDecided, type Timeline } from './timeline.ts';
export * from './types.ts';
export { RAW_FILE, work } from './worker.ts';
