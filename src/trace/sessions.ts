/**
 * Sessions out of an NDJSON trace, one at a time. A trace of a node has the records of many sessions interleaved: a first
 * pass notes where each session's lines stand (a few numbers per run of lines), then each session is read by itself,
 * so that memory holds one session however long the file is. A compressed file is read from its beginning for each of them.
 */
import { open } from 'node:fs/promises';
import type { CallRecord, EventRecord, SampleRecord, SessionRecord } from '../model/index.ts';
import { inTimeOrder } from './import/order.ts';
import { isCompressed, linesOf } from './lines.ts';
import { parseLine } from './reader.ts';
import { ReportBuilder } from './report.ts';
import { type ImportedSession, sortCalls } from './session.ts';
import { Stretches } from './stretches.ts';

interface Index {
  sessions: Map<string, Stretches>;
  /** What belongs to no session. */
  report: ReportBuilder;
}

export async function* sessionsIn(path: string): AsyncGenerator<ImportedSession> {
  const index = await indexOf(path);
  const file = isCompressed(path) ? undefined : await open(path, 'r');
  try {
    for (const [id, stretches] of index.sessions) {
      const lines = file ? stretches.lines(file) : stretches.linesAmong(linesOf(path));
      const s = await load(lines, id, path, index.report);
      // what the file as a whole had wrong is told once, with its first session
      index.report = new ReportBuilder();
      if (s) yield s;
    }
  } finally {
    await file?.close();
  }
}

async function indexOf(path: string): Promise<Index> {
  const index: Index = { sessions: new Map(), report: new ReportBuilder() };
  for await (const batch of linesOf(path))
    for (const { number, offset, bytes, text } of batch) {
      if (text?.trim() === '') continue;
      const id = text === undefined ? { why: 'a line too long for a record' } : sessionOf(text);
      if (typeof id !== 'string') {
        index.report.leaveOut(`line ${number}`, id.why);
        continue;
      }
      let stretches = index.sessions.get(id);
      if (!stretches) {
        stretches = new Stretches();
        index.sessions.set(id, stretches);
      }
      stretches.add(number, offset, bytes);
    }
  return index;
}

const QUICK = /^\{"type":"(?:session|sample|call|event)"[^{}[\]]*?"session":"([^"\\]{1,128})"/;

/** The session a line belongs to. Our own writer puts it before anything nested, so that most lines need no parsing. */
function sessionOf(text: string): string | { why: string } {
  const quick = QUICK.exec(text);
  if (quick) return quick[1]!;
  const parsed = parseLine(text);
  if ('why' in parsed) return parsed;
  return parsed.session ?? { why: 'a record of the node, not of a session' };
}

async function load(
  lines: AsyncIterable<{ line: number; text: string }>,
  id: string,
  path: string,
  report: ReportBuilder,
): Promise<ImportedSession | undefined> {
  let session: SessionRecord | undefined;
  const samples: SampleRecord[] = [];
  const calls = new Map<string, CallRecord>();
  const events: EventRecord[] = [];
  for await (const { line, text } of lines) {
    const r = parseLine(text);
    if ('why' in r) report.leaveOut(`line ${line}`, r.why);
    else if (r.type === 'session') session = r;
    else if (r.type === 'sample') samples.push(r);
    else if (r.type === 'call') calls.set(r.call, r);
    else events.push(r);
  }
  const sorted = sortScopes(samples, report);
  events.sort((a, b) => a.t - b.t);
  const callList = sortCalls([...calls.values()]);
  if (!session) {
    if (!sorted.length && !callList.length && !events.length) return undefined;
    report.note(`session ${id}`, 'no session record: its span is that of what was recorded');
    session = orphan(id, sorted, callList, events);
  }
  Object.assign(report.imported, { samples: sorted.length, calls: callList.length, events: events.length });
  return { session, samples: sorted, calls: callList, events, path, report: report.build() };
}

/** Samples in time order; a stepped clock is judged for each cgroup by itself. */
function sortScopes(samples: SampleRecord[], report: ReportBuilder): SampleRecord[] {
  const scopes = new Map<string, SampleRecord[]>();
  for (const s of samples) {
    const key = `${s.scope ?? 'session'} ${s.call ?? ''} ${s.cgroup ?? ''}`;
    const list = scopes.get(key);
    if (list) list.push(s);
    else scopes.set(key, [s]);
  }
  const kept = [...scopes].map(([key, list]) => inTimeOrder(list, `samples of ${key.trim()}`, report));
  return kept.length === 1 ? kept[0]! : kept.flat().sort((a, b) => a.t - b.t);
}

function orphan(id: string, samples: SampleRecord[], calls: CallRecord[], events: EventRecord[]): SessionRecord {
  const times = [samples[0]?.t, samples.at(-1)?.t, calls[0]?.start, calls.at(-1)?.end, events[0]?.t, events.at(-1)?.t];
  const seen = times.filter((t): t is number => t !== undefined);
  return {
    type: 'session',
    version: 1,
    session: id,
    tenant: calls[0]?.tenant ?? 'unknown',
    source: 'daemon',
    start: Math.min(...seen),
    end: Math.max(...seen),
  };
}
