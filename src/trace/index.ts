/** The recorded form of a session: write, read, import. */
export { type OpenOptions, openTraces } from './open.ts';
export { type BadLine, type GoodLine, parseLine, readTrace } from './reader.ts';
export type { Finding, ImportReport } from './report.ts';
export { type ImportedSession, recordsOf } from './session.ts';
export { TraceWriter, tracePath, type WriterOptions, type WriterTotals } from './writer.ts';
