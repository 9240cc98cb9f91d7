/** What runs show, as tables, verdicts and a page. A room of its own: a worker in a guest, which only makes runs, does without. */
export { judge, report, type WrittenReport } from './report.ts';
export { workloadOf } from './simulated.ts';
