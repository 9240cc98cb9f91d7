/** The report of a simulation: figures, tables, and how it was done. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  csv,
  document,
  escapeXml as esc,
  type Figure,
  figurePart,
  lineFigure,
  section,
  shown,
  svgOf,
  table,
} from '../../report/index.ts';
import { mean, quantile } from '../../statistics/index.ts';
import { armTexts } from './arms.ts';
import type { Recorded } from './fit.ts';
import { placementTexts } from './placement.ts';
import type { DensityRow, FleetStudy, Outcome } from './study.ts';

export interface ReportInput {
  study: FleetStudy;
  /** The sessions the shapes were fitted to. */
  recorded: readonly Recorded[];
  /** The command that gives this report again. */
  command: string;
}

/** Writes `report.html`, `results.json`, and `figures/*.svg` and `.csv` into `dir`, which is made. Returns the page's path. */
export async function writeFleetReport(input: ReportInput, dir: string): Promise<string> {
  const all = fleetFigures(input.study);
  await mkdir(join(dir, 'figures'), { recursive: true });
  for (const f of all) {
    const svg = svgOf(f, 840);
    if (svg === null) continue;
    await writeFile(join(dir, 'figures', `${f.id}.svg`), svg);
    await writeFile(join(dir, 'figures', `${f.id}.csv`), csv(f));
  }
  await writeFile(join(dir, 'results.json'), `${JSON.stringify(jsonOf(input))}\n`);
  const path = join(dir, 'report.html');
  await writeFile(path, page(input, all));
  return path;
}

/** What `--json` prints and `results.json` holds. */
export function jsonOf({ study, recorded, command }: ReportInput): object {
  const { burstRoom, config, ...basis } = study.basis;
  return {
    schema: 1,
    command,
    ...study,
    basis: { ...basis, cpus: Number.isFinite(basis.cpus) ? basis.cpus : null },
    fit: fitRows({ study, recorded, command }),
  };
}

export function fleetFigures(study: FleetStudy): Figure[] {
  if (study.density.length === 0) return [];
  const arms = study.densities.map((d) => d.arm);
  const n = `${study.replicates} simulated ${study.replicates === 1 ? 'node' : 'nodes'} for each point, ${Math.min(...study.density.map((r) => r.sessions))} to ${Math.max(...study.density.map((r) => r.sessions))} sessions together`;
  const figure = (
    id: string,
    title: string,
    definition: string,
    y: string,
    value: (r: DensityRow) => { y: number | null; low?: number | undefined; high?: number | undefined },
    min: number,
  ) =>
    lineFigure({
      id,
      title,
      definition: `${definition} Nodes of ${size(study.basis.nodeBytes)} that always hold so many sessions.`,
      n,
      x: { name: 'sessions per node', min: Math.min(...study.density.map((r) => r.sessionsPerNode)) },
      y: { name: y, min },
      series: arms.map((arm) => ({
        name: arm,
        points: study.density
          .filter((r) => r.arm === arm)
          .flatMap((r) => {
            const { y, low, high } = value(r);
            if (y === null) return [];
            return [{ x: r.sessionsPerNode, y, ...(low !== undefined && high !== undefined && { low, high }) }];
          }),
      })),
      empty: 'No density was simulated.',
    });
  return [
    figure(
      'agents-lost',
      'Agents lost',
      'Sessions whose agent was killed, of all that started in the counted time; band: 95 % (Wilson).',
      'per 1,000 sessions',
      (r) => ({ y: r.agentsLost.value, low: r.agentsLost.low, high: r.agentsLost.high }),
      0,
    ),
    figure(
      'calls-killed',
      'Tool calls killed',
      'Attempts at calls that were killed, whoever did it.',
      'per 1,000 calls',
      (r) => ({ y: r.killsPer1000 }),
      0,
    ),
    figure(
      'slowdown-high',
      'High-priority sessions: time over time alone',
      'Mean over sessions with priority high that lived; band: 95 % (bootstrap over nodes), with five nodes or more.',
      'times the time alone',
      (r) => ({ y: r.high, low: r.highInterval?.low, high: r.highInterval?.high }),
      1,
    ),
    figure(
      'slowdown-rest',
      'All other sessions: time over time alone',
      'Mean over the other sessions that lived; band: 95 % (bootstrap over nodes), with five nodes or more.',
      'times the time alone',
      (r) => ({ y: r.rest, low: r.restInterval?.low, high: r.restInterval?.high }),
      1,
    ),
  ];
}

const size = (bytes: number) => `${shown(bytes / 2 ** 30)} GiB`;

function page(input: ReportInput, all: readonly Figure[]): string {
  const { study } = input;
  const body = [
    `<p>${esc(summary(study))}</p>`,
    ...(study.density.length
      ? [
          section('density', 'Sessions on one node', densityTable(study)),
          section('figures', 'Curves', all.map(figurePart).join('\n')),
        ]
      : []),
    ...(study.fleet.length ? [section('fleet', 'A fleet', fleetTable(study))] : []),
    section('model', 'The coarse model against the fine one', modelTable(study)),
    section('fit', 'Simulated and recorded sessions', fitTable(input)),
    section('method', 'How it was computed', method(input)),
  ].join('\n');
  return document({
    title: 'Agent sessions on a fleet, simulated',
    nav: [
      ...(study.density.length
        ? ([
            ['density', 'Density'],
            ['figures', 'Curves'],
          ] as [string, string][])
        : []),
      ...(study.fleet.length ? [['fleet', 'Fleet'] as [string, string]] : []),
      ['model', 'Model'],
      ['fit', 'Fit'],
      ['method', 'Method'],
    ],
    body,
  });
}

/** The answer in a sentence. */
export function summary(study: FleetStudy): string {
  const own = study.densities.find((d) => d.arm === 'agentcgroup');
  const { oneForAll, own: each } = study.staticPeak;
  const first = `By arithmetic a node of ${size(study.basis.nodeBytes)} holds ${oneForAll} sessions with one limit for all that none exceeds, and ${each} when each has exactly its own peak, known beforehand.`;
  if (!own) return first;
  if (own.sessions === null)
    return `${first} Under agentcgroup not even the lowest density tried kept all agents and HIGH within 5 %.`;
  return `${first} Under agentcgroup ${own.sessions} run with no agent lost and HIGH within 5 %: ${shown(own.timesOneForAll)} and ${shown(own.timesOwn)} times as many.`;
}

function densityTable(study: FleetStudy): string {
  return `<p>Most sessions per node with no agent lost and HIGH within 5 % of its time alone, of the densities tried.</p>${table(
    ['On the node', 'Sessions', 'times one limit for all', 'times own peaks', ''],
    study.densities.map((d) => [
      esc(d.arm),
      d.sessions === null ? 'not even the fewest' : String(d.sessions),
      shown(d.timesOneForAll),
      shown(d.timesOwn),
      `<small>${esc(armTexts[d.arm])}</small>`,
    ]),
    [false, true, true, true, false],
  )}`;
}

function fleetTable(study: FleetStudy): string {
  return `${table(
    [
      'Placed by',
      'on the node',
      'at once per node',
      'mean wait, s',
      'all ended after, s',
      'agents lost per 1,000',
      'kills per 1,000 calls',
      'HIGH',
      'rest',
    ],
    study.fleet.map((r) => [
      esc(r.placement),
      esc(r.arm),
      shown(r.atOnce),
      shown(r.waitSeconds),
      shown(Math.round(r.endSeconds)),
      interval(r),
      shown(r.killsPer1000),
      ratio(r.high),
      ratio(r.rest),
    ]),
    [false, false, true, true, true, true, true, true, true],
  )}<p class="small">${shown(study.fleet[0]!.sessions)} sessions on ${shown(study.fleet[0]!.nodes)} nodes; they arrive at random, at ${shown(100 * study.load)} % of what the nodes' memory would hold by the mean. HIGH, rest: time from start to end over time alone.</p><dl>${Object.entries(
    placementTexts,
  )
    .map(([name, text]) => `<dt>${esc(name)}</dt><dd>${esc(text)}</dd>`)
    .join('')}</dl>`;
}

/** Slowdowns are near one: three digits behind the point. */
const ratio = (v: number | null) => (v === null ? '–' : v.toFixed(3));

const interval = (o: Outcome) =>
  `<span>${shown(o.agentsLost.value)} <small>${shown(o.agentsLost.low)} to ${shown(o.agentsLost.high)}</small></span>`;

function modelTable(study: FleetStudy): string {
  if (!study.model.length) return '<p>Not compared in this run.</p>';
  const rows = study.model.flatMap((m) =>
    (['coarse', 'fine'] as const).map((which) => [
      esc(m.arm),
      String(m.sessionsPerNode),
      which,
      shown(m[which].sessions),
      interval(m[which]),
      shown(m[which].killsPer1000),
      ratio(m[which].high),
      ratio(m[which].rest),
      shown(m[which].used),
    ]),
  );
  return `<p>The coarse model goes from event to event while every limit is far, and in ticks of 250 ms otherwise; the fine one in ticks of 50 ms always. The same sessions in both.</p>${table(
    [
      'Arm',
      'sessions per node',
      'model',
      'sessions',
      'agents lost per 1,000',
      'kills per 1,000 calls',
      'HIGH',
      'rest',
      'memory used',
    ],
    rows,
    [false, true, false, true, true, true, true, true, true],
  )}`;
}

interface FitRow {
  what: string;
  unit: string;
  recorded: (number | null)[];
  drawn: number;
}

function fitRows({ study, recorded }: ReportInput): FitRow[] {
  const { basis } = study;
  const of = (pick: (r: Recorded) => number) => [mean(recorded.map(pick)), quantile(recorded.map(pick), 0.9)];
  return [
    { what: 'peak memory', unit: 'MB', recorded: of((r) => r.peakMb), drawn: basis.meanPeak / 1e6 },
    { what: 'mean memory over time', unit: 'MB', recorded: of((r) => r.meanMb), drawn: basis.meanBytes / 1e6 },
    { what: 'duration', unit: 's', recorded: of((r) => r.seconds), drawn: basis.meanMs / 1000 },
  ];
}

function fitTable(input: ReportInput): string {
  const { shapes } = input.study.basis;
  const from = shapes.sessions
    ? `${shown(shapes.sessions)} sessions with ${shown(shapes.calls)} commands`
    : 'nothing recorded';
  return `<p>Shapes: ${esc(shapes.origin)} (${from}). Sessions are drawn from fitted distributions, not copied: how near they come is a result.</p>${table(
    ['', 'unit', 'recorded, mean', 'recorded, p90', 'simulated, mean'],
    fitRows(input).map((r) => [esc(r.what), esc(r.unit), shown(r.recorded[0]), shown(r.recorded[1]), shown(r.drawn)]),
    [false, false, true, true, true],
  )}`;
}

function method({ study, command }: ReportInput): string {
  const { basis } = study;
  return `<p>To get this again: <code>${esc(command)}</code></p><dl><dt>Seed</dt><dd>${basis.seed}; the same sessions for every arm</dd>
<dt>Node</dt><dd>${size(basis.nodeBytes)} for sessions, no swap, ${Number.isFinite(basis.cpus) ? `${basis.cpus} CPUs` : 'CPU never short'}</dd>
<dt>HIGH</dt><dd>${shown(100 * basis.high)} % of sessions</dd>
<dt>Retries</dt><dd>a killed call is tried once more</dd>
<dt>Risk</dt><dd>${basis.risk}: the chance that bursts exceed their room at a random moment, by Chernoff's bound</dd>
<dt>Assumed</dt><dd>calls of a session run one after the other; test runners, compilers and package managers are four processes; a node's calls are independent between sessions</dd></dl>`;
}
