import type { CallRecord, EventRecord, SampleRecord, SessionRecord, TraceRecord } from '../model/index.ts';
import type { ImportReport } from './report.ts';

/** One session with everything recorded about it, in memory. Samples, calls and events are each in time order. */
export interface ImportedSession {
  session: SessionRecord;
  /** Samples of all scopes; those of the whole session have no `scope` or scope `session`. */
  samples: SampleRecord[];
  calls: CallRecord[];
  events: EventRecord[];
  /** The file or folder it was read from. */
  path: string;
  report: ImportReport;
}

/** Calls in order of start; ties keep the order of the source. */
export function sortCalls(calls: CallRecord[]): CallRecord[] {
  return calls.sort((a, b) => a.start - b.start || (a.seq ?? 0) - (b.seq ?? 0));
}

/** The session as a record stream: the session record first, the rest in time order, calls at their start. */
export function* recordsOf(s: ImportedSession): Generator<TraceRecord> {
  yield s.session;
  const lists: { time: (i: number) => number; at: (i: number) => TraceRecord; length: number; next: number }[] = [
    { time: (i) => s.samples[i]!.t, at: (i) => s.samples[i]!, length: s.samples.length, next: 0 },
    { time: (i) => s.calls[i]!.start, at: (i) => s.calls[i]!, length: s.calls.length, next: 0 },
    { time: (i) => s.events[i]!.t, at: (i) => s.events[i]!, length: s.events.length, next: 0 },
  ];
  for (;;) {
    let first: (typeof lists)[number] | undefined;
    for (const l of lists) if (l.next < l.length && (!first || l.time(l.next) < first.time(first.next))) first = l;
    if (!first) return;
    yield first.at(first.next++);
  }
}
