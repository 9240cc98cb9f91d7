import { emptyFigure, type Figure, faint, frame, ink, isNarrow, short, valueAxis } from '../../report/index.ts';
import type { AnswerRow, Store } from '../store.ts';

/** What the interactive time line shows of one session. Short keys: there may be many. */
export interface TimelineSession {
  set: string;
  task: string;
  /** Seconds since the first sample, MB, % of one core (null where not known). */
  t: number[];
  mb: number[];
  cpu: (number | null)[];
  calls: TimelineCall[];
}

export interface TimelineCall {
  /** Start and end, seconds. */
  s: number;
  e: number;
  kind: CallKind;
  text: string;
}

export type CallKind = 'tests' | 'install' | 'script' | 'command' | 'tool' | 'sub-agent';

export const kindColours: Record<CallKind, string> = {
  tests: '#d55e00',
  install: '#b8860b',
  script: '#009e73',
  command: '#0072b2',
  tool: '#7f7f7f',
  'sub-agent': '#cc79a7',
};

/** Sessions in the report, points of each, and calls of each: what a page can carry. */
const mostSessions = 150;
const mostPoints = 1200;
const mostCalls = 400;
/** Sessions read with one query. */
const atOnce = 25;

/** Sessions for the time line: those with the highest peak to average first, from all sets. */
export async function timelines(store: Store): Promise<TimelineSession[]> {
  const chosen = await store.rows(
    `SELECT id, set_name, task FROM tasks_used WHERE samples > 1 ORDER BY mem_peak_mb / nullif(mem_mean_mb, 0) DESC NULLS LAST, id LIMIT ${mostSessions}`,
  );
  const sessions: TimelineSession[] = [];
  for (let from = 0; from < chosen.length; from += atOnce) {
    const some = chosen.slice(from, from + atOnce);
    const ids = some.map((c) => Number(c.id)).join(', ');
    const allSamples = Map.groupBy(
      await store.rows(
        `SELECT id, t_s, mem_mb, cpu_inst FROM samples WHERE id IN (${ids}) AND NOT gone ORDER BY id, t_s`,
      ),
      (r) => Number(r.id),
    );
    const allCalls = Map.groupBy(
      await store.rows(
        `SELECT id, start_s, dur_s, tool, class, envelope, is_command, label FROM calls WHERE id IN (${ids}) AND dur_s IS NOT NULL
         QUALIFY row_number() OVER (PARTITION BY id ORDER BY dur_s DESC, n) <= ${mostCalls} ORDER BY id, start_s`,
      ),
      (r) => Number(r.id),
    );
    for (const c of some)
      sessions.push(sessionOf(c, allSamples.get(Number(c.id)) ?? [], allCalls.get(Number(c.id)) ?? []));
  }
  return sessions.filter((s) => s.t.length > 0);
}

function sessionOf(c: AnswerRow, samples: readonly AnswerRow[], calls: readonly AnswerRow[]): TimelineSession {
  const kept = thin(
    samples.map((r) => Number(r.mem_mb)),
    mostPoints,
  );
  return {
    set: String(c.set_name),
    task: String(c.task),
    t: kept.map((i) => round(Number(samples[i]!.t_s), 1)),
    mb: kept.map((i) => round(Number(samples[i]!.mem_mb), 1)),
    cpu: kept.map((i) => (samples[i]!.cpu_inst === null ? null : round(Number(samples[i]!.cpu_inst), 1))),
    calls: calls.map((r) => ({
      s: round(Number(r.start_s), 2),
      e: round(Number(r.start_s) + Number(r.dur_s), 2),
      kind: kindOf(r),
      text: String(r.label ?? r.tool),
    })),
  };
}

const round = (v: number, digits: number) => Number(v.toFixed(digits));

function kindOf(r: Record<string, unknown>): CallKind {
  if (r.envelope) return 'sub-agent';
  if (!r.is_command) return 'tool';
  return r.class === 'tests' || r.class === 'install' || r.class === 'script' ? r.class : 'command';
}

/** Indices of at most about `most` values, the lowest and highest of each stretch among them: peaks stay. */
export function thin(values: readonly number[], most: number): number[] {
  if (values.length <= most) return values.map((_, i) => i);
  const kept = new Set<number>([0, values.length - 1]);
  const size = values.length / (most / 2);
  for (let from = 0; from < values.length; from += size) {
    const end = Math.min(values.length, Math.floor(from + size));
    let low = Math.floor(from);
    let high = low;
    for (let i = low; i < end; i++) {
      if (values[i]! < values[low]!) low = i;
      if (values[i]! > values[high]!) high = i;
    }
    kept.add(low).add(high);
  }
  return [...kept].sort((a, b) => a - b);
}

/** The still picture of one session. */
export function timelineFigure(session: TimelineSession | undefined): Figure {
  const id = 'session-time-line';
  const definition =
    'Memory (left axis) and CPU rate since the sample before (right axis) of one session; bands are tool calls. The session with the highest peak to average comes first.';
  if (!session) return emptyFigure(id, 'A session over time', definition, 'No session has samples.');
  const kinds = [...new Set(session.calls.map((c) => c.kind))];
  const hasCpu = session.cpu.some((c) => c !== null);
  return {
    id,
    title: `A session over time: ${session.task} (${session.set})`,
    definition,
    n: `${session.t.length} samples, ${session.calls.length} calls; bands: ${kinds.join(', ') || 'none'}`,
    columns: ['seconds', 'memory (MB)', 'CPU (% of one core)'],
    rows: session.t.map((t, i) => [t, session.mb[i]!, session.cpu[i] ?? null]),
    alt: `peak ${short(Math.max(...session.mb))} MB after ${short(session.t[session.mb.indexOf(Math.max(...session.mb))]!)} s`,
    chart: (width) => {
      const legend = ['memory (MB)', ...(hasCpu ? ['CPU (% of one core)'] : [])];
      const base = frame(width, legend.length > 1 ? legend : []);
      return {
        height: isNarrow(width) ? 300 : 360,
        option: {
          ...base,
          grid: { ...(base.grid as object), right: 18 },
          xAxis: valueAxis(
            { name: 'seconds since the first sample', min: 0, max: Math.ceil(session.t.at(-1) ?? 0) },
            'x',
          ),
          yAxis: [
            valueAxis({ name: 'MB', min: 0 }, 'y'),
            { ...valueAxis({ name: '% of one core', min: 0 }, 'y'), splitLine: { show: false }, show: hasCpu },
          ],
          series: [
            {
              type: 'line',
              name: legend[0],
              symbol: 'none',
              color: ink,
              lineStyle: { width: 1.6 },
              data: session.t.map((t, i) => [t, session.mb[i]!]),
              markArea: {
                silent: true,
                data: session.calls.map((c) => [
                  {
                    xAxis: c.s,
                    itemStyle: { color: kindColours[c.kind], opacity: c.kind === 'sub-agent' ? 0.12 : 0.28 },
                  },
                  { xAxis: c.e },
                ]),
              },
            },
            ...(hasCpu
              ? [
                  {
                    type: 'line',
                    name: legend[1],
                    yAxisIndex: 1,
                    symbol: 'none',
                    color: faint,
                    lineStyle: { width: 1, type: 'dotted' },
                    data: session.t.map((t, i) => [t, session.cpu[i]]),
                  },
                ]
              : []),
          ],
        },
      };
    },
  };
}
