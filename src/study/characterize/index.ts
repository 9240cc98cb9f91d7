/** What recorded sessions cost the operating system: definitions, statistics, figures, report. */
export type { Finding, Figure as FindingFigure } from './findings.ts';
export type { Input } from './gather.ts';
export { Store } from './store.ts';
export { type Study, type StudyOptions, study, taskFigures } from './study.ts';
