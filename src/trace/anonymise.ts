import { createHmac, randomBytes } from 'node:crypto';
import type { CallRecord, EventRecord, SessionRecord, TraceRecord } from '../model/index.ts';
import { PUBLIC_WORDS } from './public-words.ts';

export interface AnonymiseOptions {
  /** Secret: the same key gives the same names, without it they cannot be traced back by guessing. Default: random. */
  key?: Uint8Array;
  /** Move all times back by a whole number of days, 1 to 3650, that follows from the key. */
  shiftDays?: boolean;
}

const DAY = 86_400_000;

/**
 * A function that makes records anonymous, always in the same way for the same key, so that sessions, calls and repeated
 * commands stay recognisable as the same and every figure stays what it was:
 * - ids, tenants, tasks and data sets become hashes;
 * - in commands, arguments, folders and labels every word becomes a hash, except public ones (PUBLIC_WORDS) and single
 *   characters; what stands between words stays, so the class and the shape of a command can still be seen;
 * - free text (feedback, explanations, event texts) is dropped; of event data, numbers, flags and hashed words remain;
 * - sizes, durations, counts, statuses, agent and model names, kernel version and, unless moved, times stay.
 */
export function anonymiser(options: AnonymiseOptions = {}): (record: TraceRecord) => TraceRecord {
  const key = options.key ?? randomBytes(32);
  const hash = (text: string, length: number) => createHmac('sha256', key).update(text).digest('hex').slice(0, length);
  const known = new Map<string, string>();
  const word = (w: string): string => {
    if (/^\w$/.test(w) || PUBLIC_WORDS.has(w.toLowerCase())) return w;
    const cached = known.get(w);
    if (cached) return cached;
    // a letter first: the hash of a word is never a number, an option or a public word
    const hashed = `w${hash(`word:${w}`, 8)}`;
    if (known.size < 100_000) known.set(w, hashed);
    return hashed;
  };
  const words = (text: string) => text.replace(/[\p{L}\p{N}_]+/gu, word).replace(/[^\s!-~]/g, '?');
  const id = (text: string) => `x${hash(`id:${text}`, 16)}`;
  const name = (text: string) => `n${hash(`name:${text}`, 12)}`;
  const back = options.shiftDays ? (1 + (Number.parseInt(hash('days', 8), 16) % 3650)) * DAY : 0;
  const when = (t: number) => Math.max(0, t - back);

  const value = (v: unknown): unknown => {
    if (typeof v === 'string') return words(v);
    if (Array.isArray(v)) return v.map(value);
    if (typeof v === 'object' && v !== null)
      return Object.fromEntries(Object.entries(v).map(([k, inner]) => [words(k), value(inner)]));
    return v;
  };
  const dictionary = (d: Record<string, string>) =>
    Object.fromEntries(Object.entries(d).map(([k, v]) => [words(k), words(v)]));

  const session = (r: SessionRecord): SessionRecord => ({
    ...r,
    session: id(r.session),
    tenant: name(r.tenant),
    start: when(r.start),
    ...some('end', r.end, when),
    ...some('activeStart', r.activeStart, when),
    ...some('activeEnd', r.activeEnd, when),
    ...some('task', r.task, name),
    ...some('dataset', r.dataset, name),
    ...some('argv', r.argv, (a) => a.map(words)),
    ...some('labels', r.labels, dictionary),
  });

  const call = (r: CallRecord): CallRecord => {
    const { hintErrors: _, explanations: __, ...rest } = r;
    return {
      ...rest,
      call: id(r.call),
      session: id(r.session),
      tenant: name(r.tenant),
      start: when(r.start),
      ...some('end', r.end, when),
      ...some('command', r.command, words),
      ...some('argv', r.argv, (a) => a.map(words)),
      ...some('cwd', r.cwd, words),
      ...some('tool', r.tool, (t) => (/^mcp__/.test(t) ? `mcp__${words(t.slice(5))}` : t)),
      ...some('agentCallId', r.agentCallId, id),
      ...some('agentSessionId', r.agentSessionId, id),
      ...some('peakProcess', r.peakProcess, (p) => ({ ...p, comm: words(p.comm) })),
      ...some('hint', r.hint, (h) => value(h) as Record<string, string | number>),
      ...some('feedback', r.feedback, (f) => ({
        ...f,
        text: '',
        advice: '',
        ...some('process', f.process, words),
      })),
    };
  };

  const event = (r: EventRecord): EventRecord => {
    const { text: _, data, ...rest } = r;
    const plain: EventRecord = {
      ...rest,
      t: when(r.t),
      ...some('session', r.session, id),
      ...some('call', r.call, id),
    };
    if (!data) return plain;
    if (r.kind !== 'llm-output' && r.kind !== 'llm-input')
      return { ...plain, data: value(data) as Record<string, unknown> };
    const { message, calls, results, ...numbers } = data;
    return {
      ...plain,
      data: {
        ...numbers,
        ...(typeof message === 'string' && { message: id(message) }),
        ...(Array.isArray(calls) && { calls: calls.map((c) => id(String(c))) }),
        ...(Array.isArray(results) && { results: results.map((c) => id(String(c))) }),
      },
    };
  };

  return (r) => {
    if (r.type === 'session') return session(r);
    if (r.type === 'call') return call(r);
    if (r.type === 'event') return event(r);
    const { memoryText, ...rest } = r;
    return {
      ...rest,
      session: id(r.session),
      t: when(r.t),
      ...some('call', r.call, id),
      ...some('cgroup', r.cgroup, words),
      // a size and nothing else
      ...(memoryText !== undefined && /^[\d.]+ ?[a-zA-Z]{1,3}$/.test(memoryText) && { memoryText }),
    };
  };
}

function some<K extends string, T, R>(key: K, v: T | undefined, change: (v: T) => R): { [P in K]?: R } {
  return v === undefined ? {} : ({ [key]: change(v) } as { [P in K]: R });
}
