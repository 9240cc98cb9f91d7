/** What recorded sessions cost the operating system: definitions, statistics, figures, report. */
export { compare, type Difference } from './compare.ts';
export type { Figure as FindingFigure, Finding } from './findings.ts';
export type { Input } from './gather.ts';
export { jsonOf, type Written, writeReport } from './report/write.ts';
export { Store } from './store.ts';
export { type Study, type StudyOptions, study, taskFigures } from './study.ts';
