/** The sampler's lines as memory per agent and call over time, with the rungs that were seen. Pure. */
import type { RunningArm } from './arms/index.ts';
import type { Decision, Run } from './types.ts';

export type Timeline = NonNullable<Run['timeline']>;
type Series = Timeline['series'][number];
type RungName = Series['rungs'][number][0];

/** A call this near to its memory.high is held back by it. */
const AT_SOFT_CEILING = 2 ** 20;

/** `t0` in ms of CLOCK_MONOTONIC; samples before it are left out. */
export function readSamples(text: string, t0: number, place: RunningArm['place']): Timeline {
  const line: Timeline = { atMs: [], nodeBytes: [], series: [] };
  const found = new Map<string, Series>();
  let tick = false;
  for (const row of text.split('\n').slice(0, -1)) {
    const [kind, a, b, c, d] = row.split(' ');
    if (kind === 'T') {
      const at = Math.round(Number(a) / 1e6 - t0);
      tick = at >= 0;
      if (!tick) continue;
      line.atMs.push(at);
      line.nodeBytes.push(Number(b));
      for (const series of found.values()) series.bytes.push(null);
    } else if (kind === 'C' && tick) {
      const where = place(a!);
      if (!where) continue;
      const now = line.atMs.length - 1;
      let series = found.get(a!);
      if (!series) {
        series = { ...where, bytes: Array.from({ length: now + 1 }, () => null), rungs: [] };
        found.set(a!, series);
      }
      const bytes = Number(b);
      series.bytes[now] = bytes;
      const high = Number(d);
      if (c === '1') extend(series, 'frozen', line.atMs, now);
      else if (high >= 0 && bytes >= high - AT_SOFT_CEILING) extend(series, 'slow', line.atMs, now);
    }
  }
  line.series = [...found.values()];
  return line;
}

/** The rung goes on if it was there at the sample before, else it begins. */
function extend(series: Series, rung: RungName, atMs: number[], now: number): void {
  const last = series.rungs.at(-1);
  if (last && last[0] === rung && now > 0 && last[2] === atMs[now - 1]) last[2] = atMs[now]!;
  else series.rungs.push([rung, atMs[now]!, atMs[now]!]);
}

/** What begins a rung, and what ends any. */
const begins = new Map<string, RungName>([
  ['throttle', 'slow'],
  ['freeze', 'frozen'],
]);
const ends = new Set(['unthrottle', 'thaw', 'kill', 'oom']);

/** The rungs of calls as their controller tells them, in place of those that files show: a rate kept by the kernel is in no file. */
export function rungsAsDecided(line: Timeline, decisions: readonly Decision[]): Timeline {
  const series = line.series.map((s): Series => {
    if (s.call === null) return s;
    const last = line.atMs[s.bytes.findLastIndex((b) => b !== null)] ?? 0;
    const rungs: Series['rungs'] = [];
    let open: [RungName, number] | undefined;
    const close = (at: number) => {
      if (open) rungs.push([...open, Math.max(open[1], Math.min(at, last))]);
      open = undefined;
    };
    for (const d of decisions) {
      if (d.session !== s.session || `tool-${d.call.slice(d.call.lastIndexOf('.') + 1)}` !== s.call) continue;
      const rung = begins.get(d.decision);
      if (rung || ends.has(d.decision)) close(d.atMs);
      if (rung) open = [rung, d.atMs];
    }
    close(last);
    return { ...s, rungs };
  });
  return { ...line, series };
}
