import type { WrittenReport } from '../../study/evaluate/report/index.ts';
import { table } from '../print.ts';

/** The measures that fit a terminal, by their id in the report, with the head of their column. */
const columns: [id: string, head: string][] = [
  ['agents_alive', 'AGENTS ALIVE %'],
  ['sessions_completed', 'COMPLETED %'],
  ['overlap', 'OVERLAP %'],
  ['high_over_alone', 'HIGH x'],
  ['low_over_alone', 'LOW x'],
  ['growth_p95', 'GROWTH P95 MS'],
  ['low_pause', 'LONGEST PAUSE'],
  ['calls_killed', 'KILLED'],
];

/** A table for each scenario: means over runs with their 95 % intervals; "-" where nothing was measured. */
export function summary({ data }: WrittenReport): string {
  return data.experiments
    .flatMap((experiment) => [
      ...experiment.tables.map((t) => {
        const rows = t.arms.map((arm) => [
          arm,
          String(t.runs.filter((r) => r.arm === arm).length),
          ...columns.map(([id]) => cell(t.cells.find((c) => c.measure === id && c.arm === arm))),
        ]);
        const variant = t.variant === null ? '' : `, ${t.variant} of the swept session`;
        const broken = t.broken.length > 0 ? `; ${t.broken.length} runs broke` : '';
        const head = ['ARM', 'RUNS', ...columns.map(([, name]) => name)];
        const so = t.runs.filter((r) => r.environment.where === 'lab' && r.environment.program === 'sources').length;
        const sources = so > 0 ? `; ${so} runs made from the sources, newer than dist/: figures of another speed` : '';
        return `${t.scenario}${variant}${broken}${sources}\n${table(head, rows, head.map((_, i) => i).slice(1))}`;
      }),
      ...experiment.densities.map(
        ({ arm, sessions }) => `${experiment.name}: ${arm} holds ${sessions ?? 'none of these'}`,
      ),
    ])
    .join('\n\n');
}

type Cell = WrittenReport['data']['experiments'][number]['tables'][number]['cells'][number];

function cell(found: Cell | undefined): string {
  if (!found || found.n === 0) return '-';
  if (!found.mean) return number(found.values[0]!.value);
  const { value, low, high } = found.mean;
  return low === high ? number(value) : `${number(value)} (${number(low)} to ${number(high)})`;
}

const number = (v: number) => (Math.abs(v) >= 100 ? v.toFixed(0) : v.toFixed(2));
