/** The whole simulation: density on one node, a fleet with a queue, and how far the coarse model is off the fine one. */
import { average, bootstrap, type Estimate, mean, proportion, quantile } from '../../statistics/index.ts';
import { type ArmName, armNames } from './arms.ts';
import type { Basis } from './basis.ts';
import type { CellJob, CellResult } from './cell.ts';
import type { DensityJob } from './density.ts';
import type { PlacementName } from './placement.ts';
import { runJobs } from './pool.ts';
import { coarse, fine } from './run-node.ts';
import { addTally, emptyTally, type Tally } from './tally.ts';

/** What a tally says. Slowdowns: time over time alone, of the sessions that lived; null where there is none. */
export interface Outcome {
  sessions: number;
  /** Sessions whose agent was killed, per 1000, with Wilson's 95 % interval. */
  agentsLost: Estimate;
  agentsLostCount: number;
  /** Attempts at calls that were killed, per 1000 calls. */
  killsPer1000: number;
  calls: number;
  refused: number;
  unfinished: number;
  high: number | null;
  rest: number | null;
  highP95: number | null;
  restP95: number | null;
  longestPauseMs: number;
  /** Memory in use over memory there. */
  used: number;
}

export interface DensityRow extends Outcome {
  arm: ArmName;
  sessionsPerNode: number;
  /** Mean slowdown with a 95 % interval over replicates; null with fewer than five. */
  highInterval: Estimate | null;
  restInterval: Estimate | null;
}

export interface FleetRow extends Outcome {
  arm: ArmName;
  placement: PlacementName;
  nodes: number;
  /** Sessions at once on a node while sessions still arrived; null: they had all arrived within the warm-up. */
  atOnce: number | null;
  /** Mean wait for a place, seconds, over all sessions. */
  waitSeconds: number;
  /** Until the last session had ended, seconds. */
  endSeconds: number;
}

export interface ModelDifference {
  arm: ArmName;
  sessionsPerNode: number;
  replicates: number;
  coarse: Outcome;
  fine: Outcome;
}

export interface FleetStudy {
  basis: Basis;
  /** Sessions on a node by arithmetic: a limit for all that no session exceeds, and each its own peak, known beforehand. */
  staticPeak: { oneForAll: number; own: number };
  density: DensityRow[];
  /** Most sessions per node with no agent lost, none unfinished, and HIGH within 5 % on average, at this and all lower densities. */
  densities: { arm: ArmName; sessions: number | null; timesOneForAll: number | null; timesOwn: number | null }[];
  fleet: FleetRow[];
  model: ModelDifference[];
  replicates: number;
  load: number;
}

export interface FleetOptions {
  arms: readonly ArmName[];
  /** Sessions per node that are tried. */
  densities: readonly number[];
  replicates: number;
  fleet: readonly { arm: ArmName; placement: PlacementName }[];
  nodes: number;
  sessions: number;
  load: number;
  /** Compare with the fine model too. */
  validate: boolean;
  workers?: number;
  onProgress?: (done: number, of: number, what: string) => void;
}

/** HIGH may take this much longer than alone. */
const WITHIN = 1.05;
/** Nodes of a cell. */
const CELL = 20;
const replicatesOfModel = 2;

/** Sessions per node worth trying: shares of what would fit if nobody ever used more than the mean. */
export function usualDensities(basis: Basis): number[] {
  const most = basis.nodeBytes / basis.meanBytes;
  return [...new Set([0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95].map((f) => Math.max(1, Math.floor(f * most))))];
}

export async function fleetStudy(basis: Basis, options: FleetOptions): Promise<FleetStudy> {
  const density = densityJobs(options);
  const cells = cellJobs(options);
  const models = options.validate ? modelJobs(options) : [];
  const jobs = [...cells, ...models, ...density];
  const names = (i: number) => (i < cells.length ? 'fleet' : i < cells.length + models.length ? 'models' : 'density');
  const results = await runJobs<CellJob | DensityJob>(jobs, basis, {
    ...(options.workers !== undefined && { workers: options.workers }),
    onDone: (done, of) => options.onProgress?.(done, of, names(done)),
  });
  const ofCells = results.slice(0, cells.length) as CellResult[];
  const ofModels = results.slice(cells.length, cells.length + models.length) as Tally[];
  const ofDensity = results.slice(cells.length + models.length) as Tally[];
  const staticPeak = staticDensity(basis);
  const rows = densityRows(density, ofDensity);
  return {
    basis,
    staticPeak,
    density: rows,
    densities: (rows.length > 0 ? options.arms : []).map((arm) => {
      const sessions = highest(rows.filter((r) => r.arm === arm));
      const times = (n: number) => (sessions === null || n === 0 ? null : sessions / n);
      return { arm, sessions, timesOneForAll: times(staticPeak.oneForAll), timesOwn: times(staticPeak.own) };
    }),
    fleet: fleetRows(cells, ofCells),
    model: modelRows(models, ofModels),
    replicates: options.replicates,
    load: options.load,
  };
}

/** Arithmetic: how many peaks fit. */
export function staticDensity(basis: Pick<Basis, 'nodeBytes' | 'largestPeak' | 'meanPeak'>): {
  oneForAll: number;
  own: number;
} {
  return {
    oneForAll: Math.floor(basis.nodeBytes / basis.largestPeak),
    own: Math.floor(basis.nodeBytes / basis.meanPeak),
  };
}

function densityJobs(options: FleetOptions): DensityJob[] {
  return options.densities.flatMap((sessions) =>
    options.arms.flatMap((arm) =>
      Array.from({ length: options.replicates }, (_, replicate) => ({
        kind: 'density' as const,
        arm,
        sessions,
        replicate,
        ...coarse,
      })),
    ),
  );
}

function cellJobs({ fleet, nodes, sessions, load }: FleetOptions): CellJob[] {
  const cells = Math.max(1, Math.round(nodes / CELL));
  const part = (total: number, cell: number) =>
    Math.floor((total * (cell + 1)) / cells) - Math.floor((total * cell) / cells);
  return fleet.flatMap(({ arm, placement }) =>
    Array.from({ length: cells }, (_, cell) => ({
      kind: 'cell' as const,
      arm,
      placement,
      cell,
      nodes: part(nodes, cell),
      sessions: part(sessions, cell),
      load,
    })),
  );
}

/** Where things happen: the densities in the upper half, with and without control. */
function modelJobs({ densities, arms }: FleetOptions): DensityJob[] {
  const tried = [...densities].slice(-4).filter((_, i) => i % 2 === 0);
  return (['none', 'agentcgroup'] as const)
    .filter((a) => arms.includes(a))
    .flatMap((arm) =>
      tried.flatMap((sessions) =>
        [coarse, fine].flatMap((model) =>
          Array.from({ length: replicatesOfModel }, (_, replicate) => ({
            kind: 'density' as const,
            arm,
            sessions,
            replicate,
            ...model,
          })),
        ),
      ),
    );
}

function densityRows(jobs: readonly DensityJob[], results: readonly Tally[]): DensityRow[] {
  const groups = Map.groupBy(jobs.keys(), (i) => `${jobs[i]!.arm} ${jobs[i]!.sessions}`);
  return [...groups.values()].map((own) => {
    const each = own.map((i) => results[i]!);
    const { arm, sessions } = jobs[own[0]!]!;
    const interval = (pick: (t: Tally) => number[]) => {
      const means = each.flatMap((t) => mean(pick(t)) ?? []);
      return means.length < 5 ? null : bootstrap(means, average);
    };
    return {
      arm,
      sessionsPerNode: sessions,
      ...outcomeOf(each.reduce(addTally, emptyTally())),
      highInterval: interval((t) => t.high),
      restInterval: interval((t) => t.rest),
    };
  });
}

/** The highest density up to which all is well; null: not even the lowest. */
export function highest(rows: readonly DensityRow[]): number | null {
  let found: number | null = null;
  for (const r of rows.toSorted((a, b) => a.sessionsPerNode - b.sessionsPerNode)) {
    if (r.agentsLostCount > 0 || r.unfinished > 0 || (r.high ?? Number.POSITIVE_INFINITY) > WITHIN) break;
    found = r.sessionsPerNode;
  }
  return found;
}

function fleetRows(jobs: readonly CellJob[], results: readonly CellResult[]): FleetRow[] {
  const groups = Map.groupBy(jobs.keys(), (i) => `${jobs[i]!.arm} ${jobs[i]!.placement}`);
  return [...groups.values()].map((own) => {
    const each = own.map((i) => results[i]!);
    const { arm, placement } = jobs[own[0]!]!;
    const sum = (pick: (r: CellResult) => number) => each.reduce((n, r) => n + pick(r), 0);
    const tally = each.reduce((t, r) => addTally(t, r.tally), emptyTally());
    return {
      arm,
      placement,
      nodes: own.reduce((n, i) => n + jobs[i]!.nodes, 0),
      ...outcomeOf(tally),
      atOnce: sum((r) => r.looks) > 0 ? sum((r) => r.present) / sum((r) => r.looks) : null,
      waitSeconds: sum((r) => r.waitedMs) / tally.sessions / 1000,
      endSeconds: Math.max(...each.map((r) => r.endedAt)) / 1000,
    };
  });
}

function modelRows(jobs: readonly DensityJob[], results: readonly Tally[]): ModelDifference[] {
  const groups = Map.groupBy(jobs.keys(), (i) => `${jobs[i]!.arm} ${jobs[i]!.sessions}`);
  return [...groups.values()].map((own) => {
    const { arm, sessions } = jobs[own[0]!]!;
    const of = (leaps: boolean) =>
      outcomeOf(own.filter((i) => jobs[i]!.leaps === leaps).reduce((t, i) => addTally(t, results[i]!), emptyTally()));
    return { arm, sessionsPerNode: sessions, replicates: own.length / 2, coarse: of(true), fine: of(false) };
  });
}

export function outcomeOf(t: Tally): Outcome {
  const lost = proportion(t.agentsLost, t.sessions);
  const per1000 = (n: number) => n * 1000;
  return {
    sessions: t.sessions,
    agentsLost: lost
      ? { value: per1000(lost.value), low: per1000(lost.low), high: per1000(lost.high) }
      : { value: 0, low: 0, high: 1000 },
    agentsLostCount: t.agentsLost,
    killsPer1000: t.calls > 0 ? (1000 * t.kills) / t.calls : 0,
    calls: t.calls,
    refused: t.refused,
    unfinished: t.unfinished,
    high: mean(t.high),
    rest: mean(t.rest),
    highP95: quantile(t.high, 0.95),
    restP95: quantile(t.rest, 0.95),
    longestPauseMs: t.longestPauseMs,
    used: t.capacity > 0 ? t.used / t.capacity : 0,
  };
}

/** Placements and what goes with them; by risk, ours against its alternatives. */
export const usualFleet: FleetOptions['fleet'] = [
  { placement: 'peak', arm: 'static-peak' },
  { placement: 'average', arm: 'static-average' },
  { placement: 'vpa', arm: 'vpa-like' },
  { placement: 'risk', arm: 'oomd-like' },
  { placement: 'risk', arm: 'none' },
  { placement: 'risk', arm: 'agentcgroup' },
];
/** Arms of the density curves: limits that do not depend on the density cannot be packed beyond it. */
export const usualArms: readonly ArmName[] = armNames.filter((a) => a !== 'static-average' && a !== 'static-peak');
