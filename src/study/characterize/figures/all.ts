import { barFigure, curveFigure, type Figure } from '../../report/index.ts';
import { lookup } from '../contrast.ts';
import { commandClasses } from '../measure/classes.ts';
import type { Store } from '../store.ts';
import type { Study } from '../study.ts';
import { curves, inOrder } from './curves.ts';
import { progressFigures } from './progress.ts';
import { provisioningFigures } from './provisioning.ts';
import { trajectory } from './trajectory.ts';
import { varianceFigures } from './variance.ts';

/** Every picture of the report, in its order, except the interactive time line. */
export async function figures(store: Store, study: Study): Promise<Figure[]> {
  const sets = study.sets.map((s) => s.name);
  const get = lookup(study.findings);
  const sessions = study.sets.map((s) => `${s.name}: ${s.used} sessions`).join('; ');
  const paperOf = (id: string, set: string, part: string): number | null => {
    const v = study.findings.find((f) => f.id === id)?.detail[set]?.paper?.[part]?.value;
    return typeof v === 'number' ? v : null;
  };
  const duration = curveFigure(
    {
      id: 'execution-time',
      title: 'Execution time',
      definition:
        'Wall time of a session (container start to end where recorded); per cent of sessions that took at most so long.',
      what: 'sessions',
      x: { name: 'minutes', min: 0 },
      empty: 'No session has a duration.',
    },
    inOrder(await curves(store, 'tasks_used', 'wall_s / 60'), sets),
  );
  const forms = sets.flatMap((s) => [`${s} (paper)`, `${s} (sound)`]);
  const phase = (part: string) => sets.flatMap((s) => [paperOf('phase.split', s, part), get('phase.split', s, part)]);
  const phases = barFigure({
    id: 'phase-split',
    title: 'Where the time goes',
    definition:
      "Mean over sessions of the shares of wall time: before the agent's first and after its last log entry (initialisation), in tool calls, and the rest (the model). By the paper's rule call durations are added up; by the sound one overlaps are merged and sub-agent envelopes left out.",
    n: sessions,
    axis: '% of wall time',
    categories: forms,
    series: [
      { name: 'initialisation', values: phase('init') },
      { name: 'tool calls', values: phase('tool') },
      { name: 'model', values: phase('llm') },
    ],
    stacked: true,
    max: 100,
    empty: 'No session has both a wall time and an active time.',
  });
  return [
    duration,
    phases,
    await toolTime(store, sets),
    classTime(sets, get, sessions),
    ...(await progressFigures(store, sets)),
    curveFigure(
      {
        id: 'image-sizes',
        title: 'Image sizes',
        definition: 'Size of the container image of each task; per cent of tasks with an image of at most that size.',
        what: 'images',
        x: { name: 'GiB', min: 0 },
        empty: 'These traces record no image sizes.',
      },
      inOrder(await curves(store, 'images', 'image_gib'), sets),
    ),
    await trajectory(store, sets),
    curveFigure(
      {
        id: 'change-memory',
        title: 'How fast memory changes',
        definition:
          'Absolute change of memory between two samples / their distance (under 2 s apart, live container); per cent of intervals with a faster change.',
        what: 'intervals',
        x: { name: 'MB/s (logarithmic)', log: true, min: 0.1 },
        above: 'logarithmic',
        empty: 'There are no two samples within two seconds.',
      },
      inOrder(await curves(store, 'samples_used', 'abs(d_mem_mb) / dt_s', 'dt_s > 0 AND dt_s < 2 AND NOT gone'), sets),
    ),
    curveFigure(
      {
        id: 'change-cpu',
        title: 'How fast CPU use changes',
        definition:
          'Absolute difference of the CPU rates of two neighbouring intervals / their distance, de-averaged; per cent of intervals with a faster change.',
        what: 'intervals',
        x: { name: '% of one core per second (logarithmic)', log: true, min: 0.1 },
        above: 'logarithmic',
        empty: 'These traces record no CPU use.',
      },
      inOrder(await curves(store, 'samples_used', 'abs(d_cpu_inst) / dt_s', 'dt_s > 0 AND dt_s < 2'), sets),
    ),
    attribution(study, sets, get, paperOf),
    curveFigure(
      {
        id: 'burst-length',
        title: 'How long bursts last',
        definition: `Stretches with memory more than ${study.thresholds.riseMb} MB above the session's idle memory; per cent of bursts that last longer.`,
        what: 'bursts',
        x: { name: 'seconds (logarithmic)', log: true },
        above: true,
        empty: 'There are no bursts, or too few.',
      },
      inOrder(await curves(store, 'bursts_used', 'length_s', "kind = 'rise' AND length_s > 0"), sets),
    ),
    curveFigure(
      {
        id: 'burst-height',
        title: 'How high bursts go',
        definition: "Highest sample of a burst minus the session's idle memory; per cent of bursts that go higher.",
        what: 'bursts',
        x: { name: 'MB above idle (logarithmic)', log: true },
        above: true,
        empty: 'There are no bursts, or too few.',
      },
      inOrder(await curves(store, 'bursts_used', 'height_mb', "kind = 'rise'"), sets),
    ),
    curveFigure(
      {
        id: 'peak-to-average',
        title: 'Peak to average memory',
        definition: 'Peak / mean over time of each session; per cent of sessions with at most that ratio.',
        what: 'sessions',
        x: { name: 'peak / average (logarithmic)', log: true, min: 1 },
        empty: 'No session has memory samples.',
      },
      inOrder(await curves(store, 'tasks_used', 'mem_peak_mb / nullif(mem_mean_mb, 0)'), sets),
    ),
    ...(await demand(store, sets)),
    retries(study, sets),
    curveFigure(
      {
        id: 'retry-groups',
        title: 'Commands in a row',
        definition:
          'Groups of three or more commands with no other tool between them; per cent of groups that are longer.',
        what: 'groups',
        x: { name: 'commands in the group (logarithmic)', log: true },
        above: true,
        empty: 'No session runs three commands in a row.',
      },
      inOrder(await curves(store, 'groups_used', 'calls'), sets),
    ),
    curveFigure(
      {
        id: 'retry-kept',
        title: 'Memory kept over commands in a row',
        definition: 'Sample after the group minus sample before it, not below zero; per cent of groups that keep more.',
        what: 'groups',
        x: { name: 'MB (logarithmic)', log: true, min: 0.1 },
        above: true,
        empty: 'No session runs three commands in a row between samples.',
      },
      inOrder(await curves(store, 'groups_used', 'kept_mb'), sets),
    ),
    ...(await varianceFigures(store, sets)),
    ...(await provisioningFigures(store, study, sets)),
  ];
}

async function toolTime(store: Store, sets: readonly string[]): Promise<Figure> {
  const rows = await store.rows(
    'SELECT set_name, tool, sum(dur_s) AS s, count(*) AS n FROM calls_used WHERE dur_s IS NOT NULL GROUP BY ALL',
  );
  const total = (set: string) => rows.filter((r) => r.set_name === set).reduce((sum, r) => sum + Number(r.s), 0);
  const tools = [...Map.groupBy(rows, (r) => String(r.tool))]
    .map(([tool, own]) => ({
      tool,
      s: own.reduce((sum, r) => sum + Number(r.s) / (total(String(r.set_name)) || 1), 0),
    }))
    .sort((a, b) => b.s - a.s)
    .slice(0, 10)
    .map((t) => t.tool);
  return barFigure({
    id: 'tool-time',
    title: 'Tool time by tool',
    definition:
      "Durations of the tool's calls / durations of all calls of the set. A sub-agent's envelope (Task) contains the time of its own calls and of its model.",
    n: sets
      .map(
        (s) =>
          `${s}: ${rows
            .filter((r) => r.set_name === s)
            .reduce((sum, r) => sum + Number(r.n), 0)
            .toLocaleString('en')} calls`,
      )
      .join('; '),
    axis: '% of tool time',
    categories: tools,
    series: sets.map((set) => ({
      name: set,
      values: tools.map((tool) => {
        const row = rows.find((r) => r.set_name === set && r.tool === tool);
        return total(set) > 0 ? (100 * Number(row?.s ?? 0)) / total(set) : null;
      }),
    })),
    empty: 'These traces have no tool calls with an end.',
  });
}

function classTime(sets: readonly string[], get: ReturnType<typeof lookup>, n: string): Figure {
  return barFigure({
    id: 'class-time',
    title: 'Command time by kind of command',
    definition:
      'Durations of commands of the class / durations of all commands; classes by the programs that run, the heaviest of a command line.',
    n,
    axis: '% of command time',
    categories: commandClasses,
    series: sets.map((set) => ({ name: set, values: commandClasses.map((c) => get('bash.table', set, c)) })),
    empty: 'These traces have no commands.',
  });
}

function attribution(
  study: Study,
  sets: readonly string[],
  get: ReturnType<typeof lookup>,
  paperOf: (id: string, set: string, part: string) => number | null,
): Figure {
  const { burstMb, burstCpu } = study.thresholds;
  return barFigure({
    id: 'burst-attribution',
    title: 'Do bursts happen in tool calls?',
    definition: `Per cent of all samples, of memory bursts (above ${burstMb} MB) and of CPU bursts (above ${burstCpu} %) that lie inside a call. Paper: any call, sliced sizes, CPU as recorded. Sound: leaf calls, exact sizes, interval CPU.`,
    n: sets
      .map(
        (s) =>
          `${s}: ${(study.findings.find((f) => f.id === 'burst.time_share')?.n[s] ?? 0).toLocaleString('en')} samples`,
      )
      .join('; '),
    axis: '% inside tool calls',
    categories: sets.flatMap((s) => [`${s} (paper)`, `${s} (sound)`]),
    series: [
      {
        name: 'all time',
        values: sets.flatMap((s) => [paperOf('burst.time_share', s, 'value'), get('burst.time_share', s)]),
      },
      {
        name: 'memory bursts',
        values: sets.flatMap((s) => [paperOf('burst.mem_in_tool', s, 'value'), get('burst.mem_in_tool', s)]),
      },
      {
        name: 'CPU bursts',
        values: sets.flatMap((s) => [paperOf('burst.cpu_in_tool', s, 'value'), get('burst.cpu_in_tool', s)]),
      },
    ],
    max: 100,
    empty: 'These traces have no samples.',
  });
}

/** One picture per set: what the classes need. */
async function demand(store: Store, sets: readonly string[]): Promise<Figure[]> {
  const made = [];
  for (const [i, set] of sets.slice(0, 4).entries()) {
    const where = `is_command AND set_name = '${set.replaceAll("'", "''")}' AND samples_in > 0`;
    const found = await curves(store, 'calls_used', 'greatest(demand_mb, 0.1)', where, 'class');
    const shown = commandClasses.flatMap((c) => found.find((f) => f.set === c && f.n >= 10) ?? []);
    made.push(
      curveFigure(
        {
          id: `demand-by-class-${i + 1}`,
          title: `What commands need: ${set}`,
          definition:
            "Peak of the call's own cgroup where recorded, else the highest sample in the call minus the last one before it; by class of command (ten or more); per cent of commands that need more.",
          what: 'commands',
          x: { name: 'MB (logarithmic)', log: true, min: 0.1 },
          above: true,
          empty: 'There are fewer than ten commands of any class with samples in them.',
        },
        shown,
      ),
    );
  }
  return made;
}

function retries(study: Study, sets: readonly string[]): Figure {
  const value = (id: string, form: 'paper' | 'sound', part: string, set: string): number | null => {
    const v = study.findings.find((f) => f.id === id)?.detail[set]?.[form]?.[part];
    return typeof v?.value === 'number' && v.n > 0 ? (100 * v.value) / v.n : null;
  };
  const kinds: [string, string, 'paper' | 'sound', string][] = [
    ['three commands in a row, any', 'retry.tasks', 'paper', 'value'],
    ['three test commands in a row', 'retry.tasks_as_defined', 'sound', 'any_test'],
    ['the same test three times in a row', 'retry.tasks_as_defined', 'sound', 'identical'],
    ['the same test three times, anywhere', 'retry.repeated_anywhere', 'sound', 'identical'],
  ];
  return barFigure({
    id: 'retry-tasks',
    title: 'Sessions that try again',
    definition:
      'Per cent of sessions with tool calls that do this at least once. The paper calls the first a retry group; its text defines the third.',
    n: sets.map((s) => `${s}: ${study.findings.find((f) => f.id === 'retry.tasks')?.n[s] ?? 0} sessions`).join('; '),
    axis: '% of sessions',
    categories: kinds.map(([name]) => name),
    series: sets.map((set) => ({ name: set, values: kinds.map(([, id, form, part]) => value(id, form, part, set)) })),
    max: 100,
    empty: 'These traces have no tool calls.',
  });
}
