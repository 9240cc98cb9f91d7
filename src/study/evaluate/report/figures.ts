/** Pictures of an evaluation: every run as a point, growth latency as curves, one run of each arm over time. */
import {
  categoryAxis,
  colourOf,
  curveFigure,
  emptyFigure,
  type Figure,
  frame,
  ink,
  isNarrow,
  legendHeight,
  lineFigure,
  short,
  steps,
  valueAxis,
} from '../../report/index.ts';
import { quantileOfSorted } from '../../statistics/index.ts';
import { byPriority, type Run, type RunSession } from '../index.ts';
import type { Cell, Table } from './judge.ts';
import { type Measure, measures } from './measures.ts';

/** Measures that get a picture of their own, where there are values. */
const pictured = [
  'sessions_completed',
  'high_over_alone',
  'low_over_alone',
  'overlap',
  'growth_p95',
  'high_pause',
  'low_pause',
  'unused',
];

export function figuresOf(table: Table, id: string): Figure[] {
  return [
    ...measures.filter((m) => pictured.includes(m.id)).map((m) => points(table, m, id)),
    latency(table, id),
    ...table.arms.filter((a) => a !== 'alone').map((arm) => timeline(table, arm, id)),
  ];
}

/** Each run as a point, the mean and its interval as a bar across. */
function points(table: Table, m: Measure, id: string): Figure {
  const cells = table.arms.map((arm) => table.cells.find((c) => c.arm === arm && c.measure === m.id)!);
  const own = cells.filter((c) => c.n > 0);
  const head = [
    `${id}-${m.id}`,
    m.title,
    `${m.definition}. A point is a run, the line the 95 % interval of the mean.`,
  ] as const;
  if (own.length === 0) return emptyFigure(...head, 'No run has a value.');
  const names = own.map((c) => c.arm);
  return {
    id: head[0],
    title: head[1],
    definition: head[2],
    n: own.map((c) => `${c.arm}: ${c.n} of ${c.of} runs`).join('; '),
    columns: ['arm', 'run', m.unit],
    rows: own.flatMap((c) => c.values.map((v) => [c.arm, v.run, v.value])),
    alt: own.map((c) => `${c.arm}: ${c.mean ? short(c.mean.value) : short(c.values[0]!.value)} ${m.unit}`).join('; '),
    chart: (width) => ({
      height: own.length * 34 + 70,
      option: {
        ...frame(width, []),
        xAxis: { ...valueAxis({ name: m.unit }, 'x'), scale: farFromZero(own) },
        yAxis: categoryAxis(names, 'y'),
        series: [
          {
            type: 'scatter',
            symbolSize: 9,
            itemStyle: { color: colourOf(0), opacity: 0.7 },
            data: own.flatMap((c, i) => c.values.map((v) => [v.value, i])),
          },
          ...own.flatMap((c, i) =>
            c.mean
              ? [
                  {
                    type: 'line',
                    symbol: 'none',
                    lineStyle: { color: colourOf(1), width: 4 },
                    data: [
                      [c.mean.low, i],
                      [c.mean.high, i],
                    ],
                  },
                ]
              : [],
          ),
          {
            type: 'scatter',
            symbol: 'diamond',
            symbolSize: 13,
            itemStyle: { color: ink },
            data: own.flatMap((c, i) => (c.mean ? [[c.mean.value, i]] : [])),
          },
        ],
      },
    }),
  };
}

/** Zero is on the axis, unless all values are far from it. */
function farFromZero(cells: readonly Cell[]): boolean {
  const values = cells.flatMap((c) => c.values.map((v) => v.value));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low > high / 2 && high > low;
}

function latency(table: Table, id: string): Figure {
  const curves = table.arms.flatMap((arm) => {
    const runs = table.runs.filter((r) => r.arm === arm);
    const steps_ = runs.flatMap((r) => {
      const { high, low } = byPriority(r.sessions);
      return (high.length > 0 ? high : low).flatMap((s) => s.growthUs);
    });
    const sorted = Float64Array.from(steps_, (us) => us / 1000).sort();
    if (sorted.length === 0) return [];
    return [{ set: arm, n: sorted.length, sessions: runs.length, at: steps.map((q) => quantileOfSorted(sorted, q)) }];
  });
  return curveFigure(
    {
      id: `${id}-growth`,
      title: 'Growth latency, all steps of all runs',
      definition:
        'Wall time of each growth step of 1 MiB of anonymous memory, of HIGH (of all where all have the same priority); per cent of steps that took longer.',
      what: 'steps',
      from: 'runs',
      x: { name: 'ms per MiB (logarithmic)', log: true },
      above: 'logarithmic',
      empty: 'No run has growth steps.',
    },
    curves,
  );
}

/** The run that is shown: of those with a time line the one with the median end, so that it is a usual one. */
function usual(runs: readonly Run[]): Run | undefined {
  const sorted = runs.filter((r) => r.timeline).toSorted((a, b) => a.measures!.makespanMs - b.measures!.makespanMs);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

const mib = 2 ** 20;
const barNames = { waiting: 'waiting to start', slow: 'held back', frozen: 'frozen' } as const;
/** None of them a session's colour in the usual case of up to four. */
const barColours = { waiting: '#8c8c8c', slow: '#b8860b', frozen: '#6a3d9a' } as const;
type Bar = [kind: keyof typeof barNames, from: number, to: number];
const most = 600;

/** Of calls that were asked for: until the first instruction, where that took as long as a pause. Such a call has no cgroup yet. */
function waitsOf(session: RunSession, pauseMs: number): Bar[] {
  return session.calls.flatMap((c): Bar[] => {
    const until = c.startMs ?? c.endMs;
    return until !== null && until - c.askedMs > pauseMs ? [['waiting', c.askedMs, until]] : [];
  });
}

/** Memory of each call and agent, stacked, under the node's limit; what waited, was held back or frozen as bars above it. */
function timeline(table: Table, arm: string, id: string): Figure {
  const run = usual(table.runs.filter((r) => r.arm === arm));
  const name = `${id}-timeline-${arm}`;
  const title = `One run over time: ${arm}`;
  const definition =
    'Memory charged to each session, stacked: its agent dark, its tool calls light where they have a cgroup. The dashed line is the limit of the node. Above it a row for each session of which a call waited to start, was held back (memory.high or a rate) or frozen. The run with the median end is shown.';
  if (!run?.timeline) return emptyFigure(name, title, definition, 'No run of this arm has a time line.');
  const { atMs, nodeBytes, series } = run.timeline;
  const step = Math.max(1, Math.ceil(atMs.length / most));
  const kept = atMs.map((_, i) => i).filter((i) => i % step === 0 || i === atMs.length - 1);
  const t = kept.map((i) => atMs[i]! / 1000);
  const named = series
    .map((s) => ({ ...s, name: `${s.session}${s.call === null ? ' agent' : ` ${s.call}`}` }))
    .sort(
      (a, b) =>
        a.session.localeCompare(b.session) || (a.call ?? '').localeCompare(b.call ?? '', 'en', { numeric: true }),
    );
  // one colour for each session, its agent darkest; a legend of sessions, not of a hundred calls
  const sessions = [...new Set(named.map((s) => s.session))];
  const limit = run.nodeBytes / mib;
  const rows = run.sessions
    .map((s) => ({
      session: s.session,
      bars: [...named.filter((n) => n.session === s.session).flatMap((n) => n.rungs), ...waitsOf(s, run.pauseMs)],
    }))
    .filter((row) => row.bars.length > 0)
    // the first one is the highest
    .reverse();
  const seen = (kind: Bar[0]) => rows.some((row) => row.bars.some(([k]) => k === kind));
  const legend = [...sessions, ...(['waiting', 'slow', 'frozen'] as const).filter(seen).map((k) => barNames[k])];
  const outcomes = run.sessions
    .map((s) => `${s.session} ${s.completed ? 'completed' : s.alive ? 'alive, not completed' : 'agent killed'}`)
    .join(', ');
  return {
    id: name,
    title,
    definition,
    n: `run ${run.run}, seed ${run.seed}: ${outcomes}`,
    columns: ['seconds', 'node (MiB)', ...named.map((s) => `${s.name} (MiB)`)],
    rows: kept.map((i) => [
      atMs[i]! / 1000,
      (nodeBytes[i] ?? 0) / mib,
      ...named.map((s) => {
        const b = s.bytes[i];
        return b === null || b === undefined ? null : b / mib;
      }),
    ]),
    alt: `peak ${short(Math.max(...nodeBytes) / mib)} MiB of ${short(limit)} MiB; ${outcomes}`,
    chart: (width) => {
      const shown = frame(width, legend);
      const heightOf = (k: number) => limit * (1.06 + 0.055 * k);
      const from = Math.min(0, t[0] ?? 0);
      const memory = valueAxis({ name: 'MiB', min: 0, max: Math.ceil(heightOf(rows.length)) }, 'y');
      return {
        height: (isNarrow(width) ? 300 : 360) + legendHeight(legend, width) + rows.length * 12,
        option: {
          ...shown,
          xAxis: valueAxis({ name: 'seconds since the barrier', min: from, max: t.at(-1) ?? 1 }, 'x'),
          // above the limit stand the sessions' names
          yAxis: {
            ...memory,
            axisLabel: { ...(memory.axisLabel as object), formatter: (v: number) => (v > limit ? '' : short(v)) },
          },
          series: [
            ...named.map((s) => ({
              type: 'line',
              name: s.call === null ? s.session : `${s.session} ${s.call}`,
              stack: 'memory',
              symbol: 'none',
              color: colourOf(sessions.indexOf(s.session)),
              lineStyle: { width: 0.6, color: colourOf(sessions.indexOf(s.session)) },
              areaStyle: { color: colourOf(sessions.indexOf(s.session)), opacity: s.call === null ? 0.85 : 0.45 },
              data: kept.map((i, k) => [t[k]!, (s.bytes[i] ?? 0) / mib]),
            })),
            ...sessions
              .filter((s) => !named.some((x) => x.session === s && x.call === null))
              .map((s) => ({ type: 'line', name: s, color: colourOf(sessions.indexOf(s)), data: [] })),
            {
              type: 'line',
              symbol: 'none',
              lineStyle: { color: ink, type: 'dashed', width: 1.5 },
              data: [
                [from, limit],
                [t.at(-1) ?? 1, limit],
              ],
            },
            {
              type: 'scatter',
              symbolSize: 1,
              clip: false,
              itemStyle: { color: 'transparent' },
              label: { show: true, position: 'left', color: ink, fontSize: 10, width: 52, overflow: 'truncate' },
              data: rows.map(({ session }, k) => ({
                value: [from, heightOf(k)],
                label: { formatter: session.replaceAll(/[{}|]/g, '') },
              })),
            },
            ...rows.flatMap(({ bars }, k) =>
              bars.map(([kind, from, to]) => ({
                type: 'line',
                name: barNames[kind],
                symbol: 'none',
                color: barColours[kind],
                lineStyle: { width: 5, color: barColours[kind] },
                data: [
                  [from / 1000, heightOf(k)],
                  // a rung seen at one sample only is still to be seen
                  [Math.max(to, from + run.sampleMs) / 1000, heightOf(k)],
                ],
              })),
            ),
          ],
        },
      };
    },
  };
}

/** Sweeps: what becomes of agents and of HIGH as sessions are added. */
export function sweepFigures(tables: readonly Table[], id: string): Figure[] {
  const arms = [...new Set(tables.flatMap((t) => t.arms))].filter((a) => a !== 'alone');
  const figure = (measure: string, title: string, unit: string) =>
    lineFigure({
      id: `${id}-sweep-${measure}`,
      title,
      definition: `${measures.find((m) => m.id === measure)!.definition}; mean over runs, band: 95 % interval.`,
      n: tables
        .map(
          (t) => `${t.variant}: ${arms.map((a) => `${a} ${t.runs.filter((r) => r.arm === a).length}`).join(', ')} runs`,
        )
        .join('; '),
      x: { name: 'sessions of the swept kind' },
      y: { name: unit },
      series: arms.map((arm) => ({
        name: arm,
        points: tables.flatMap((t) => {
          const c = t.cells.find((x) => x.arm === arm && x.measure === measure);
          if (!c || c.n === 0) return [];
          const y = c.mean?.value ?? c.values[0]!.value;
          return [{ x: t.variant!, y, ...(c.mean && { low: c.mean.low, high: c.mean.high }) }];
        }),
      })),
      empty: 'No run has a value.',
    });
  return [
    figure('agents_alive', 'Agents alive as sessions are added', '% of sessions'),
    figure('sessions_completed', 'Sessions completed as sessions are added', '% of sessions'),
    figure('high_over_alone', 'HIGH as sessions are added', 'times the time alone'),
  ];
}
