import { type CallRecord, formatSize, type SampleRecord } from '../../model/index.ts';
import type { ImportedSession } from '../../trace/index.ts';
import { table } from '../print.ts';

const WIDTH = 72;
const BARS = ' ▁▂▃▄▅▆▇█';

/** What the list says of one session; also the JSON form. */
export function summaryOf(s: ImportedSession) {
  const whole = s.samples.filter(ofWholeSession);
  const peakBytes = whole.reduce((most, x) => Math.max(most, x.memoryBytes), 0);
  const [start, end] = spanOf(s);
  return {
    ...s.session,
    path: s.path,
    durationMs: end - start,
    samples: s.samples.length,
    calls: s.calls.length,
    events: s.events.length,
    ...(whole.length && { peakBytes }),
    report: s.report,
  };
}

type Summary = ReturnType<typeof summaryOf>;

export function sessionTable(rows: Summary[]): string {
  return table(
    ['session', 'agent', 'model', 'started (UTC)', 'length', 'samples', 'calls', 'peak', 'left out'],
    rows.map((r) => [
      shorten(r.session, 60),
      r.agent ?? '',
      shorten(r.model ?? '', 28),
      new Date(r.start).toISOString().slice(0, 19).replace('T', ' '),
      duration(r.durationMs),
      String(r.samples),
      String(r.calls),
      r.peakBytes === undefined ? '' : formatSize(r.peakBytes),
      String(r.report.leftOut.reduce((n, f) => n + f.count, 0)),
    ]),
    [4, 5, 6, 7, 8],
  );
}

/** One session in detail: memory over time, when calls ran, the calls, and what the import had to say. */
export function sessionDetail(s: ImportedSession): string {
  const [start, end] = spanOf(s);
  const parts = [`${s.session.session}  (${s.path})`, timeLine(s, start, end)];
  if (s.calls.length) parts.push(callTable(s.calls, start));
  const findings = [
    ...s.report.leftOut.map((f) => `left out: ${f.why} (${f.where}${f.count > 1 ? ` and ${f.count - 1} more` : ''})`),
    ...s.report.notes.map((f) => `note: ${f.why} (${f.where}${f.count > 1 ? ` and ${f.count - 1} more` : ''})`),
  ];
  if (findings.length) parts.push(findings.join('\n'));
  return parts.join('\n\n');
}

function timeLine(s: ImportedSession, start: number, end: number): string {
  const span = Math.max(1, end - start);
  const column = (t: number) => Math.min(WIDTH - 1, Math.max(0, Math.floor(((t - start) / span) * WIDTH)));
  const memory = new Array<number>(WIDTH).fill(0);
  const last = column(s.samples.at(-1)?.t ?? start);
  for (const x of s.samples) if (ofWholeSession(x)) memory[column(x.t)] = Math.max(memory[column(x.t)]!, x.memoryBytes);
  // between two samples the memory is that of the earlier one
  for (let i = 1; i < WIDTH; i++) if (memory[i] === 0 && i <= last) memory[i] = memory[i - 1]!;
  const peak = Math.max(...memory);
  const running = new Array<number>(WIDTH).fill(0);
  for (const c of s.calls)
    if (!c.envelope) for (let i = column(c.start); i <= column(c.end ?? c.start); i++) running[i]!++;
  const lines = [];
  if (peak > 0) lines.push(`memory ${memory.map((m) => BARS[Math.ceil((m / peak) * 8)]).join('')} ${formatSize(peak)}`);
  lines.push(`calls  ${running.map((n) => (n === 0 ? '·' : n < 10 ? String(n) : '+')).join('')}`);
  lines.push(`       0${duration(span).padStart(WIDTH - 1)}`);
  return lines.join('\n');
}

function callTable(calls: CallRecord[], start: number): string {
  const rows = calls.map((c) => [
    duration(c.start - start),
    c.end === undefined ? 'no end' : duration(c.durationMs ?? c.end - c.start),
    `${c.subAgent ? '  ' : ''}${c.tool}`,
    c.oomKilled ? 'oom' : c.signal ? c.signal : c.exitCode == null ? (c.isError ? 'error' : '') : String(c.exitCode),
    c.peakBytes === undefined ? '' : formatSize(c.peakBytes),
    shorten((c.command ?? '').replace(/\s+/g, ' '), 60),
  ]);
  return table(['at', 'length', 'tool', 'exit', 'peak', 'command'], rows, [0, 1, 4]);
}

function spanOf(s: ImportedSession): [number, number] {
  const end = s.session.end ?? Math.max(s.session.start, s.samples.at(-1)?.t ?? 0, s.calls.at(-1)?.end ?? 0);
  return [s.session.start, end];
}

function ofWholeSession(s: SampleRecord): boolean {
  return (s.scope === undefined || s.scope === 'session') && !s.gone;
}

/** "0.35 s", "12 s", "5:02 min", "1:10:00 h". */
function duration(ms: number): string {
  const s = ms / 1000;
  if (s < 10) return `${s.toFixed(2)} s`;
  if (s < 60) return `${s.toFixed(0)} s`;
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0');
  return s < 3600
    ? `${Math.floor(s / 60)}:${two(s % 60)} min`
    : `${Math.floor(s / 3600)}:${two((s % 3600) / 60)}:${two(s % 60)} h`;
}

/** Control characters of a recorded command must not reach the terminal. */
function shorten(text: string, length: number): string {
  const plain = text.replace(/\p{C}/gu, '?');
  return plain.length <= length ? plain : `${plain.slice(0, length - 1)}…`;
}
