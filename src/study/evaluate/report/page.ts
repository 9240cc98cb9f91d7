/** The report as one HTML document, and the same as data. */
import {
  csv,
  csvLink,
  document,
  escapeXml as esc,
  type Figure,
  figurePart,
  section,
  shown,
  table,
} from '../../report/index.ts';
import type { Estimate } from '../../statistics/index.ts';
import type { ArmInfo, Run } from '../index.ts';
import { figuresOf, sweepFigures } from './figures.ts';
import { type Goal, goalsOf } from './goals.ts';
import type { Cell, Table } from './judge.ts';
import { measures } from './measures.ts';

export interface Experiment {
  name: string;
  /** One, or one for each count of a sweep. */
  tables: Table[];
  goals: Goal[];
  /** Of a sweep: most sessions at once with no agent lost in any run and HIGH (where there is one) within 5 % on average. */
  densities: { arm: string; sessions: number | null }[];
}

export interface ReportData {
  experiments: Experiment[];
  arms: readonly ArmInfo[];
  /** The commands that give the runs again. */
  commands: string[];
  /** Runs left out because their scenario has changed since. */
  outdated: number;
}

export function experimentsOf(tables: readonly Table[]): Experiment[] {
  return [...Map.groupBy(tables, (t) => t.scenario)].map(([name, own]) => {
    const sorted = own.toSorted((a, b) => (a.variant ?? 0) - (b.variant ?? 0));
    return {
      name,
      tables: sorted,
      goals: sorted.length === 1 ? goalsOf(sorted[0]!) : [],
      densities: sorted.length > 1 ? densitiesOf(sorted) : [],
    };
  });
}

function densitiesOf(tables: readonly Table[]): Experiment['densities'] {
  const arms = [...new Set(tables.flatMap((t) => t.arms))].filter((a) => a !== 'alone');
  return arms.map((arm) => {
    let sessions: number | null = null;
    for (const t of tables) {
      const safe = t.safe.find((s) => s.arm === arm);
      const high = t.cells.find((c) => c.arm === arm && c.measure === 'high_over_alone');
      const slow = high !== undefined && high.n > 0 && (high.mean?.value ?? high.values[0]!.value) > 1.05;
      // who has to wait until another is gone is not held
      const waited = t.runs.some((r) => r.arm === arm && r.sessions.some((s) => (s.readyMs ?? 0) > 0));
      if (!safe || safe.of === 0 || safe.runs < safe.of || slow || waited) break;
      sessions = t.variant;
    }
    return { arm, sessions };
  });
}

/** All figures, each with an id of its own. */
export function allFigures(data: ReportData): Map<Experiment, Figure[]> {
  return new Map(
    data.experiments.map((e) => [
      e,
      e.tables.length > 1 ? sweepFigures(e.tables, e.name) : figuresOf(e.tables[0]!, e.name),
    ]),
  );
}

export function page(data: ReportData, figures: ReadonlyMap<Experiment, Figure[]>): string {
  const body = [
    intro(data),
    ...data.experiments.map((e) => section(e.name, e.name, experimentPart(e, figures.get(e)!))),
    section('arms', 'The arms', armsPart(data)),
    section('measures', 'The measures', measuresPart()),
    section('method', 'How it was done', methodPart(data)),
  ].join('\n');
  return document({
    title: 'Evaluation of resource control for agents',
    nav: [
      ...data.experiments.map((e): [string, string] => [e.name, e.name]),
      ['arms', 'Arms'],
      ['measures', 'Measures'],
      ['method', 'Method'],
    ],
    body,
  });
}

function intro(data: ReportData): string {
  const runs = data.experiments.flatMap((e) => e.tables.flatMap((t) => [...t.runs, ...t.broken]));
  const broken = data.experiments.reduce((n, e) => n + e.tables.reduce((m, t) => m + t.broken.length, 0), 0);
  return `<p>${runs.length} runs, ${broken === 0 ? 'none broken' : `<b>${broken} broken</b> (shown below)`}${data.outdated ? `; ${data.outdated} of an earlier form of a scenario left out` : ''}. A difference is only called one where Holm's correction over the scenario's whole table leaves p at most 0.05 and the 95 % interval excludes zero.</p>${fromSources(runs)}`;
}

/** Figures of another speed: in a checkout whose `dist/` is older than its sources. */
function fromSources(runs: readonly Run[]): string {
  const so = runs.filter((r) => r.environment.where === 'lab' && r.environment.program === 'sources').length;
  if (so === 0) return '';
  return `<p><b>${so} of ${runs.length} runs were made from the sources</b>, which were newer than what was built from them: a daemon takes twice as long to start so. Do not compare them with runs of what is built; <code>npm run setup</code> builds it.</p>`;
}

function experimentPart(e: Experiment, figures: readonly Figure[]): string {
  const one = e.tables.length === 1;
  return [
    ...(one ? [goalsPart(e.goals)] : [densityPart(e)]),
    ...e.tables.map(
      (t) =>
        `${one ? '' : `<h3 class="part">${t.variant} of the swept session</h3>`}${measureTable(t)}${verdictPart(t)}${brokenPart(t)}${besidePart(t)}`,
    ),
    ...figures.map(figurePart),
  ].join('\n');
}

function goalsPart(goals: readonly Goal[]): string {
  if (!goals.length) return '';
  const whats = [...new Set(goals.map((g) => g.what))];
  const cell = (g: Goal | undefined) => (g ? `<span><b>${esc(g.kept)}</b> <small>${esc(g.found)}</small></span>` : '–');
  return `<h3>The goals, arm by arm</h3>${table(
    ['Arm', ...whats.map(esc)],
    [...Map.groupBy(goals, (g) => g.arm)].map(([arm, own]) => [
      esc(arm),
      ...whats.map((w) => cell(own.find((g) => g.what === w))),
    ]),
  )}<p class="small">Kept or missed is what the whole interval keeps or misses, in all runs of the arm, six at least.</p>`;
}

function densityPart(e: Experiment): string {
  return `<h3>Density</h3><p>Most sessions of the swept kind, up to which all were there from the beginning, no run lost an agent and HIGH, where there is one, took at most 1.05 times its time alone on average.</p>${table(
    ['Arm', 'Sessions'],
    e.densities.map((d) => [esc(d.arm), d.sessions === null ? 'not even the fewest' : String(d.sessions)]),
    [false, true],
  )}`;
}

/** An interval that is the value itself, as far as it is shown, says nothing. */
function withInterval(e: Estimate): string {
  const [value, low, high] = [shown(e.value), shown(e.low), shown(e.high)];
  return low === value && high === value ? value : `${value} <small>${low} to ${high}</small>`;
}

function measureTable(t: Table): string {
  const cell = (c: Cell | undefined): string => {
    if (!c || c.n === 0) return '–';
    const value = c.mean ? withInterval(c.mean) : shown(c.values[0]!.value);
    return `<span>${value}${c.n < c.of ? ` <small>n ${c.n}/${c.of}</small>` : ''}</span>`;
  };
  const known = measures.filter((m) => t.cells.some((c) => c.measure === m.id && c.n > 0));
  const of = (m: string, a: string) => t.cells.find((c) => c.measure === m && c.arm === a);
  const data = csv({
    columns: ['measure', 'unit', 'arm', 'n', 'runs', 'mean', 'low', 'high'],
    rows: known.flatMap((m) =>
      t.arms.map((a) => {
        const c = of(m.id, a)!;
        return [m.id, m.unit, a, c.n, c.of, c.mean?.value ?? null, c.mean?.low ?? null, c.mean?.high ?? null];
      }),
    ),
  });
  const runs = t.arms.map((a) => `${esc(a)} <small>n ${t.runs.filter((r) => r.arm === a).length}</small>`);
  return `<h3>Arms and measures</h3>${table(
    ['Measure', 'Unit', ...runs],
    known.map((m) => [
      `<a href="#m-${m.id}">${esc(m.title)}</a>`,
      esc(m.unit),
      ...t.arms.map((a) => cell(of(m.id, a))),
    ]),
    [false, false, ...t.arms.map(() => true)],
  )}<p class="small">Mean over runs with its 95 % bootstrap interval, where that differs from it as shown. n k/N: k of N runs have a value. ${csvLink(`${t.scenario}${t.variant ?? ''}`, data)}</p>`;
}

const order = { worse: 0, better: 1, none: 2, 'too few': 3 } as const;

/** Pair by pair: what differs in full, the rest by name. */
function verdictPart(t: Table): string {
  const pairs = Map.groupBy(t.verdicts, (v) => `${v.arm} against ${v.other}`);
  if (pairs.size === 0) return '';
  const title = (id: string) => measures.find((m) => m.id === id)!.title;
  const parts = [...pairs].map(([pair, all]) => {
    const clear = all
      .filter((v) => v.finding === 'better' || v.finding === 'worse')
      .sort((a, b) => order[a.finding] - order[b.finding]);
    const names = (finding: 'none' | 'too few') =>
      all.filter((v) => v.finding === finding).map((v) => title(v.measure));
    const count = (f: 'better' | 'worse') => clear.filter((v) => v.finding === f).length;
    const head = clear.length
      ? `better in ${count('better')}, worse in ${count('worse')}`
      : names('none').length
        ? 'no difference shown'
        : 'not compared';
    const rows = all.toSorted((a, b) => order[a.finding] - order[b.finding]);
    const item = (v: Table['verdicts'][number]) => {
      // the pair is named above
      const [measure, found] = v.text.split(`: ${pair}: `) as [string, string];
      const clearly = v.finding === 'better' || v.finding === 'worse';
      return `<li>${clearly ? `<b>${esc(measure)}</b>` : esc(measure)}: ${esc(found)}</li>`;
    };
    const first = /^agentcgroup\S* against none$/.test(pair);
    return `<details class="finding"${clear.length && first ? ' open' : ''}><summary><span>${esc(pair)}</span><span class="values"><b>${head}</b></span></summary><ul>${rows.map(item).join('')}</ul></details>`;
  });
  const most = Math.max(...t.verdicts.map((v) => v.n));
  const weak =
    most < t.blocksNeeded
      ? `<p><b>Too few runs to show anything:</b> with so many comparisons it takes ${t.blocksNeeded} blocks of runs before a difference can pass; there are ${most}.</p>`
      : '';
  return `<h3>Verdicts</h3>${weak}${parts.join('\n')}`;
}

function brokenPart(t: Table): string {
  if (!t.broken.length) return '';
  return `<h3>Broken runs</h3>${table(
    ['Arm', 'Run', 'Why'],
    t.broken.map((r) => [esc(r.arm), String(r.run), esc(r.broken ?? 'it has no measures')]),
    [false, true, false],
  )}`;
}

/** The model is shown with its errors. */
function besidePart(t: Table): string {
  if (!t.beside?.length) return '';
  return `<h3>The same in the simulator</h3>${table(
    ['Arm', 'Measure', 'Unit', 'Runs', 'Simulated', 'Difference'],
    t.beside.map((b) => [
      esc(b.arm),
      esc(b.what),
      esc(b.unit),
      b.runs ? `<span>${withInterval(b.runs)}</span>` : '–',
      shown(b.simulated),
      b.runs && b.simulated !== null ? shown(b.simulated - b.runs.value) : '–',
    ]),
    [false, false, false, true, true, true],
  )}<p class="small">One deterministic simulation against the mean of the runs. A dash: it did not come to that.</p>`;
}

function armsPart(data: ReportData): string {
  const used = new Set(data.experiments.flatMap((e) => e.tables.flatMap((t) => t.arms)));
  return table(
    ['Arm', 'What', 'From'],
    [...used].map((name) => {
      const info = data.arms.find((a) => a.name === name);
      return [esc(name), esc(info?.what ?? ''), info?.peer ? 'as Debian packages it' : ''];
    }),
  );
}

function measuresPart(): string {
  return `<dl>${measures.map((m) => `<dt id="m-${m.id}">${esc(m.title)}</dt><dd>${esc(m.definition)} (${esc(m.unit)}${m.better ? `; ${m.better} is better` : ''})</dd>`).join('')}</dl>`;
}

function methodPart(data: ReportData): string {
  const runs = data.experiments.flatMap((e) => e.tables.flatMap((t) => [...t.runs, ...t.broken]));
  const environments = Map.groupBy(runs, (r) => environmentText(r));
  return `<p>Runs with the same number are a block: the arms one after the other in an order drawn from the seed. Differences are between runs of the same block; the test is a permutation test of paired runs (exact up to 14 blocks, else 19,999 drawn sign patterns), two-sided; intervals are percentile bootstraps of 2,000 draws.</p>
<dl>${[...environments].map(([text, own]) => `<dt>${own.length} runs</dt><dd>${esc(text)}</dd>`).join('')}
<dt>The guest's clock</dt><dd>${esc(waitsText(runs))}</dd>
<dt>Seeds</dt><dd>${esc([...new Set(runs.map((r) => r.seed))].join(', '))}</dd>
<dt>When</dt><dd>${esc(whenText(runs))}</dd></dl>
<p>To do it again:</p><pre class="scroll">${esc(data.commands.join('\n'))}</pre>`;
}

/** By the clocks of the machines that ran: guests' clocks run ahead of the host's. */
function whenText(runs: readonly Run[]): string {
  const minutes = runs.map((r) => r.startedAt.replace(/^(.{10})T(.{5}).*$/, '$1 $2')).sort();
  return minutes.length ? `${minutes[0]} to ${minutes.at(-1)} UTC, by the clock of the machine that ran` : '';
}

/** Whether times are to be believed: see `hostWaits`. */
function waitsText(runs: readonly Run[]): string {
  const counted = runs.filter((r) => r.hostWaits !== null);
  const waited = counted.filter((r) => r.hostWaits! > 0);
  if (counted.length === 0) return 'not in the lab, or not counted';
  if (waited.length === 0)
    return `in none of ${counted.length} runs did anything ask for a file of the host's while it was timed`;
  return `in ${waited.length} of ${counted.length} runs something asked for files of the host's while it was timed (${[...new Set(waited.map((r) => `${r.scenario}, ${r.arm}`))].join('; ')}): a clock that counts instructions skips ahead meanwhile, so their times may be too long`;
}

function environmentText({ environment: e, arm }: Run): string {
  return [
    `kernel ${e.kernel}, ${e.where === 'lab' ? `in a microVM (${e.accelerator}${e.deterministicClock ? ', clock counts instructions' : ''})` : 'on the machine itself'}`,
    `${e.cpus} CPUs, ${shown(e.memoryBytes / 2 ** 20)} MiB, swap ${shown(e.swapBytes / 2 ** 20)} MiB, huge pages ${e.hugePages}`,
    `agentcgroup ${e.agentcgroup}${e.program ? ` (${e.program})` : ''}, Node.js ${e.node}`,
    ...(e.peer ? [`${arm}: ${e.peer}`] : []),
  ].join('; ');
}
