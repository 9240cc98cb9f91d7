import { everything, type Value } from './define/evaluate.ts';
import { type Density, density } from './density.ts';
import { type Figure, type Finding, figureOf } from './findings.ts';
import type { Course } from './measure/course.ts';
import { type PastCall, type Prediction, predictability } from './predict.ts';
import { controllers, paperNode } from './published.ts';
import type { Store } from './store.ts';

/** What is not a statistic of rows: arithmetic, simulation and cross-validation over them. */
export interface Derived {
  findings: Finding[];
  density: Density[];
  predictions: { set: string; predictions: Prediction[] }[];
  reactions: Reaction[];
}

/** How much of the bursts is over before a controller of that speed has acted. */
export interface Reaction {
  set: string;
  controller: string;
  reaction_s: number;
  /** Per cent of bursts that have ended, and per cent that have reached their top. */
  over: number | null;
  topped: number | null;
  bursts: number;
}

export interface DeriveOptions {
  sets: readonly string[];
  courses: readonly Course[];
  seed: number;
  nodeMb: number;
}

/** Commands the predictors are tried on; more would only cost time. */
const sampledCalls = 20_000;

export async function derive(store: Store, found: readonly Finding[], options: DeriveOptions): Promise<Derived> {
  const groups = options.sets.length > 1 ? [...options.sets, everything] : [...options.sets];
  const densities = groups.flatMap((set) => {
    const own = options.courses.filter((c) => set === everything || c.set === set);
    return density(set, own, { nodeMb: options.nodeMb, seed: options.seed }) ?? [];
  });
  const predictions = [];
  const rows = await pastCalls(store, options.seed);
  for (const set of groups)
    predictions.push({ set, predictions: predictability(rows.filter((r) => set === everything || r.set === set)) });
  const reactions = await reactionsOf(store);
  return {
    density: densities,
    predictions,
    reactions,
    findings: [
      instances(found, densities, groups),
      densityFinding(densities, groups),
      predictionFinding(predictions, groups),
      reactionFinding(reactions, groups),
    ],
  };
}

async function pastCalls(store: Store, seed: number): Promise<(PastCall & { set: string })[]> {
  const rows = await store.rows(
    `SELECT * FROM (SELECT set_name, id, task, class, demand_mb, last_demand_mb, n FROM calls_used
       WHERE is_command AND demand_mb IS NOT NULL AND class IS NOT NULL)
     USING SAMPLE reservoir(${sampledCalls} ROWS) REPEATABLE (${Math.abs(Math.trunc(seed)) % 2 ** 31})`,
  );
  return rows
    .map((r) => ({
      set: String(r.set_name),
      id: Number(r.id),
      task: String(r.task),
      class: String(r.class),
      demand_mb: Number(r.demand_mb),
      last_demand_mb: r.last_demand_mb === null ? null : Number(r.last_demand_mb),
      n: Number(r.n),
    }))
    .sort((a, b) => a.id - b.id || a.n - b.n);
}

async function reactionsOf(store: Store): Promise<Reaction[]> {
  const found: Reaction[] = [];
  // a burst cannot be seen to rise faster than the samples are apart: where that is slower than the controller, say nothing
  const apart = await store.rows(
    'SELECT set_name, quantile_cont(dt_s, 0.5) AS dt FROM samples_used GROUP BY GROUPING SETS ((set_name), ())',
  );
  const seen = (set: unknown, reaction_s: number) =>
    Number(apart.find((a) => a.set_name === set)?.dt ?? Number.POSITIVE_INFINITY) <= reaction_s;
  for (const { name, reaction_s } of controllers) {
    const rows = await store.rows(
      `SELECT set_name, 100 * avg((length_s <= ${reaction_s})::INTEGER) AS over_, 100 * avg((rise_s <= ${reaction_s})::INTEGER) AS topped,
         count(*) AS n FROM bursts_used WHERE kind = 'rise' GROUP BY GROUPING SETS ((set_name), ()) HAVING count(*) > 0`,
    );
    for (const r of rows)
      found.push({
        set: String(r.set_name ?? everything),
        controller: name,
        reaction_s,
        over: seen(r.set_name, reaction_s) ? Number(r.over_) : null,
        topped: seen(r.set_name, reaction_s) ? Number(r.topped) : null,
        bursts: Number(r.n),
      });
  }
  return found;
}

const none = (reason: string): Value => ({ value: null, n: 0, sessions: 0, reason });
const counted = (value: number, n: number): Value => ({ value, n, sessions: n });

interface Shape {
  id: string;
  topic: Finding['topic'];
  title: string;
  unit: string;
  paperRule?: string;
  soundRule: string;
  difference?: string;
}

function build(
  shape: Shape,
  sets: readonly string[],
  sound: (set: string) => Record<string, Value>,
  paper?: (set: string) => Record<string, Value>,
): Finding {
  const detail: Finding['detail'] = {};
  for (const set of sets) detail[set] = { ...(paper && { paper: paper(set) }), sound: sound(set) };
  const figures = (pick: (d: Finding['detail'][string]) => Record<string, Value>): Record<string, Figure> =>
    Object.fromEntries(sets.map((set) => [set, figureOf(pick(detail[set]!))]));
  return {
    id: shape.id,
    topic: shape.topic,
    title: shape.title,
    unit: shape.unit,
    definition: { paper: shape.paperRule ?? null, sound: shape.soundRule },
    difference: shape.difference ?? '',
    paper: paper ? figures((d) => d.paper!) : null,
    sound: figures((d) => d.sound),
    n: Object.fromEntries(sets.map((set) => [set, Math.max(0, ...Object.values(detail[set]!.sound).map((v) => v.n))])),
    detail,
  };
}

const numberOf = (found: readonly Finding[], id: string, set: string, part = 'value'): number | null => {
  const v = found.find((f) => f.id === id)?.detail[set]?.paper?.[part]?.value;
  return typeof v === 'number' ? v : null;
};

/** The paper's arithmetic on instances, with the CPU and baseline of the traces at hand; and what simulation says. */
function instances(found: readonly Finding[], densities: readonly Density[], sets: readonly string[]): Finding {
  const [large, small] = paperNode.peaksGb;
  const most = paperNode.memoryGb / small;
  return build(
    {
      id: 'arith.instances',
      topic: 'provisioning',
      title: 'How many instances fit on a node',
      unit: 'sessions, %, GB',
      paperRule: `${paperNode.memoryGb} GB / ${large} and ${small} GB; that many times the mean CPU (samples as recorded, tasks in common where there are any) / ${paperNode.cores} cores; that many times the early memory`,
      soundRule:
        'simulation over the traces (density.node): sessions that fit by their peaks, by bands per call, and by use',
      difference:
        "The paper's is arithmetic on a peak that only the most extreme sessions reach; the simulation lets sessions run side by side.",
    },
    sets,
    (set) => {
      const d = densities.find((x) => x.set === set);
      if (!d)
        return {
          peak: none('no session with samples'),
          band: none('no session with samples'),
          use: none('no session with samples'),
        };
      return {
        peak: counted(d.peak.median, d.trials),
        band: counted(d.band.median, d.trials),
        use: counted(d.use.median, d.trials),
      };
    },
    (set) => {
      const cpu = numberOf(found, 'cpu.mean', set) ?? numberOf(found, 'cpu.mean_all', set);
      const idle = numberOf(found, 'mem.baseline', set);
      return {
        inst_low: counted(paperNode.memoryGb / large, 1),
        inst_high: counted(most, 1),
        cpu: cpu === null ? none('no CPU values') : counted((most * cpu) / paperNode.cores, 1),
        gb: idle === null ? none('no memory values') : counted((most * idle) / 1000, 1),
      };
    },
  );
}

function densityFinding(densities: readonly Density[], sets: readonly string[]): Finding {
  const nodeGb = densities[0] ? (densities[0].nodeMb / 1000).toFixed(1) : '?';
  return build(
    {
      id: 'density.node',
      topic: 'provisioning',
      title: `Sessions on a node of ${nodeGb} GB`,
      unit: 'sessions; cores',
      soundRule:
        'sessions drawn at random with random starts until one more does not fit, median of the trials: each given its peak; each call its own peak; what is in use fits always; fits 99 % of the time',
    },
    sets,
    (set) => {
      const d = densities.find((x) => x.set === set);
      const why = none('no session with samples');
      return d
        ? {
            peak: counted(d.peak.median, d.trials),
            band: counted(d.band.median, d.trials),
            use: counted(d.use.median, d.trials),
            use99: counted(d.use99.median, d.trials),
            gain:
              d.peak.median > 0
                ? counted(d.band.median / d.peak.median, d.trials)
                : none('not one session fits by its peak'),
            cores: d.cores === null ? none('no CPU recorded') : counted(d.cores, d.trials),
          }
        : { peak: why, band: why, use: why, use99: why, gain: why, cores: why };
    },
  );
}

function predictionFinding(all: Derived['predictions'], sets: readonly string[]): Finding {
  return build(
    {
      id: 'predict.class',
      topic: 'provisioning',
      title: "Predicting the next command's memory from its class and history",
      unit: '%, %, x, %',
      soundRule:
        'quantile regression at 95 % on class and last demand, cross-validated over tasks: commands under their limit; sessions with a command over it; sum of limits / sum of demands; gain over one limit for all (pinball loss)',
    },
    sets,
    (set) => {
      const p = all.find((x) => x.set === set)?.predictions.find((x) => x.predictor === 'class and last time');
      const why = none('too few commands or tasks to learn from');
      return p
        ? {
            covered: counted(p.covered, p.n),
            sessions_over: counted(p.sessionsOver, p.sessions),
            reserved: counted(p.reserved, p.n),
            skill: counted(p.skill, p.n),
          }
        : { covered: why, sessions_over: why, reserved: why, skill: why };
    },
  );
}

function reactionFinding(all: readonly Reaction[], sets: readonly string[]): Finding {
  return build(
    {
      id: 'reaction.missed',
      topic: 'bursts',
      title: 'Bursts that have reached their top before a controller acts',
      unit: '%',
      soundRule:
        "bursts whose rise takes no longer than the controller's reaction time / bursts; no rise can be seen that is shorter than the distance of samples",
    },
    sets,
    (set) =>
      Object.fromEntries(
        controllers.map(({ name }) => {
          const r = all.find((x) => x.set === set && x.controller === name);
          if (!r) return [name, none('no bursts')];
          return [
            name,
            r.topped === null
              ? none('the samples are further apart than this controller takes')
              : counted(r.topped, r.bursts),
          ];
        }),
      ),
  );
}
