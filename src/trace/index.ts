/** The recorded form of a session: write, read, import. */

export { type AnonymiseOptions, anonymiser } from './anonymise.ts';
export { mergeTraces } from './merge.ts';
export { type OpenOptions, openTraces } from './open.ts';
export { writeLines } from './output.ts';
export { columnsOf, exportParquet } from './parquet.ts';
export { type BadLine, type GoodLine, parseLine, readTrace } from './reader.ts';
export type { Finding, ImportReport } from './report.ts';
export { type ImportedSession, recordsOf } from './session.ts';
export { type Format, formatOf } from './sniff.ts';
export { validateTrace } from './validate.ts';
export { TraceWriter, tracePath, type WriterOptions, type WriterTotals } from './writer.ts';
