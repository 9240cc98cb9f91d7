/** Findings and sums as bars, a set beside the other. */
import { barFigure, type Figure } from '../../report/index.ts';
import { lookup } from '../contrast.ts';
import { commandClasses } from '../measure/classes.ts';
import type { Store } from '../store.ts';
import type { Study } from '../study.ts';

const setsOf = (study: Study) => study.sets.map((s) => s.name);
const sessionsOf = (study: Study) => study.sets.map((s) => `${s.name}: ${s.used} sessions`).join('; ');

/** A part of a finding by the paper's rule; `lookup` has it by the sound one. */
function paperOf(study: Study, id: string, set: string, part: string): number | null {
  const v = study.findings.find((f) => f.id === id)?.detail[set]?.paper?.[part]?.value;
  return typeof v === 'number' ? v : null;
}

export function phases(study: Study): Figure {
  const sets = setsOf(study);
  const get = lookup(study.findings);
  const forms = sets.flatMap((s) => [`${s} (paper)`, `${s} (sound)`]);
  const phase = (part: string) =>
    sets.flatMap((s) => [paperOf(study, 'phase.split', s, part), get('phase.split', s, part)]);
  return barFigure({
    id: 'phase-split',
    title: 'Where the time goes',
    definition:
      "Mean over sessions of the shares of wall time: before the agent's first and after its last log entry (initialisation), in tool calls, and the rest (the model). By the paper's rule call durations are added up; by the sound one overlaps are merged and sub-agent envelopes left out.",
    n: sessionsOf(study),
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
}

export async function toolTime(store: Store, sets: readonly string[]): Promise<Figure> {
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

export function classTime(study: Study): Figure {
  const get = lookup(study.findings);
  return barFigure({
    id: 'class-time',
    title: 'Command time by kind of command',
    definition:
      'Durations of commands of the class / durations of all commands; classes by the programs that run, the heaviest of a command line.',
    n: sessionsOf(study),
    axis: '% of command time',
    categories: commandClasses,
    series: setsOf(study).map((set) => ({ name: set, values: commandClasses.map((c) => get('bash.table', set, c)) })),
    empty: 'These traces have no commands.',
  });
}

export function attribution(study: Study): Figure {
  const sets = setsOf(study);
  const get = lookup(study.findings);
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
        values: sets.flatMap((s) => [paperOf(study, 'burst.time_share', s, 'value'), get('burst.time_share', s)]),
      },
      {
        name: 'memory bursts',
        values: sets.flatMap((s) => [paperOf(study, 'burst.mem_in_tool', s, 'value'), get('burst.mem_in_tool', s)]),
      },
      {
        name: 'CPU bursts',
        values: sets.flatMap((s) => [paperOf(study, 'burst.cpu_in_tool', s, 'value'), get('burst.cpu_in_tool', s)]),
      },
    ],
    max: 100,
    empty: 'These traces have no samples.',
  });
}

export function retries(study: Study): Figure {
  const sets = setsOf(study);
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
