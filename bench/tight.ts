/**
 * What a schedule that knows everything beforehand could reach in a scenario of shapes with one high-priority session and two alike of
 * low priority, as `tight-shaped` is; and what the simulated policy reaches, on both tiers, with the sessions a little apart each time.
 * Usage: node bench/tight.ts [scenario.yaml]      (default scenarios/tight-shaped.yaml; a minute or two)
 */
import { parseConfig } from '../src/model/index.ts';
import { loadScenario, planSessions } from '../src/study/evaluate/index.ts';
import { workloadOf } from '../src/study/evaluate/report/index.ts';
import { type SessionSpec, simulate, type Workload } from '../src/study/simulate/index.ts';

const MIB = 2 ** 20;
/** Resolution of the schedule, milliseconds. */
const STEP = 20;
/** As the simulator charges: kernel memory beside anonymous memory. */
const KERNEL_SHARE = 1.02;
/** Milliseconds that sessions start apart. */
const APART = [0, 7, 13, 29, 41, 53, 71, 97];

/** By steps of undisturbed work: memory of the calls, bytes, and whether a call runs (else the agent thinks). */
interface Course {
  held: number[];
  busy: boolean[];
}

function courseOf(s: SessionSpec): Course {
  const held = [0];
  const busy: boolean[] = [];
  for (const { think, calls } of s.turns) {
    for (let t = 0; t < think; t += STEP) add(0, false);
    const { demand } = calls[0]!;
    let before = { at: 0, anon: 0 };
    let t = STEP;
    for (const p of demand) {
      for (; t <= p.at; t += STEP)
        add(before.anon + ((p.anon - before.anon) * (t - before.at)) / (p.at - before.at), true);
      before = p;
    }
    held[held.length - 1] = 0;
  }
  return { held, busy };
  function add(bytes: number, running: boolean) {
    held.push(bytes * KERNEL_SHARE);
    busy.push(running);
  }
}

/**
 * The least that two LOW courses must wait beside an undisturbed HIGH, in steps: in all, or while HIGH runs a call. By going back from
 * the end over all pairs of positions: at each step each of the two goes on or stands still with what it holds.
 */
function leastWait(high: Course, low: Course, room: number, whileHighRuns: boolean): number {
  const end = low.busy.length;
  const width = end + 1;
  const last = high.busy.length + 2 * end;
  let next = new Float64Array(width * width).fill(Number.POSITIVE_INFINITY);
  next[end * width + end] = 0;
  for (let t = last - 1; t >= 0; t--) {
    const now = new Float64Array(width * width).fill(Number.POSITIVE_INFINITY);
    const left = room - (high.held[t + 1] ?? 0);
    const counts = !whileHighRuns || (high.busy[t] ?? false);
    for (let a = 0; a <= end; a++)
      for (let b = 0; b <= end; b++) {
        let best = Number.POSITIVE_INFINITY;
        for (const [da, db] of [
          [1, 1],
          [1, 0],
          [0, 1],
          [0, 0],
        ] as const) {
          // thinking goes on by itself
          if ((a < end && !low.busy[a] && !da) || (b < end && !low.busy[b] && !db)) continue;
          const [to, too] = [Math.min(end, a + da), Math.min(end, b + db)];
          if (low.held[to]! + low.held[too]! > left) continue;
          const waits = counts ? Number(a < end && !da) + Number(b < end && !db) : 0;
          best = Math.min(best, waits + next[to * width + too]!);
        }
        now[a * width + b] = best;
      }
    next = now;
  }
  return next[0]!;
}

const scenario = loadScenario(process.argv[2] ?? new URL('../scenarios/tight-shaped.yaml', import.meta.url).pathname);
const planned = await planSessions(scenario, null, scenario.seed, async () => []);
const work = workloadOf(scenario, planned);
const high = work.sessions.find((s) => s.priority === 'high')!;
const low = work.sessions.filter((s) => s.priority === 'low');
const agents = work.sessions.reduce((n, s) => n + s.agent.anon + s.agent.hot, 0);
const [highCourse, lowCourse] = [courseOf(high), courseOf(low[0]!)];
const alone = (c: Course) => c.busy.length * STEP;
const common = low.length * Math.min(...[highCourse, lowCourse].map((c) => c.busy.filter(Boolean).length * STEP));

console.log(`alone: HIGH ${alone(highCourse)} ms, LOW ${alone(lowCourse)} ms`);
for (const margin of [0, 16, 32, 48]) {
  const room = work.capacity - agents - margin * MIB;
  const waits = leastWait(highCourse, lowCourse, room, false) * STEP;
  const beside = leastWait(highCourse, lowCourse, room, true) * STEP;
  console.log(
    `everything known, ${margin} MiB never used: LOW ${(1 + waits / 2 / alone(lowCourse)).toFixed(2)}x; overlap at most about ${(1 - beside / common).toFixed(2)} (not both at once)`,
  );
}

const tenants = Object.fromEntries(planned.map((s) => [s.tenant, { priority: s.priority }]));
for (const governed of [false, true]) {
  const seen = APART.map((apart) => {
    const starts = (i: number) => 2000 + apart * (i + 1);
    const delayed = (s: SessionSpec, i: number): SessionSpec => ({
      ...s,
      turns: s.turns.map((t, k) => (k === 0 ? { ...t, think: t.think + starts(i) } : t)),
    });
    const w: Workload = { ...work, sessions: work.sessions.map(delayed) };
    const o = simulate(
      w,
      { control: 'policy', config: parseConfig({ tenants }), governed },
      { until: 60_000, tickMs: 10 },
    );
    const times = w.sessions.map((s, i) => {
      const agent = o.agents.find((a) => a.session === s.id)!;
      return { s, over: ((agent.endedAt ?? 60_000) - starts(i)) / alone(s === w.sessions[0] ? highCourse : lowCourse) };
    });
    const lost = o.calls.filter((c) => c.end === 'killed' || c.end === 'oom').length;
    const lows = times.filter(({ s }) => s.priority === 'low').map(({ over }) => over);
    const still = Math.max(...o.calls.map((c) => Math.max(c.heldMs, c.longestStillMs)));
    return { high: times[0]!.over, low: lows.reduce((n, x) => n + x, 0) / lows.length, lost, still };
  });
  const list = (of: (x: (typeof seen)[number]) => number | string) => seen.map(of).join(' ');
  console.log(
    `simulated, ${governed ? 'with the governor' : 'cgroup files'}: HIGH ${list((x) => x.high.toFixed(2))}; LOW ${list((x) => x.low.toFixed(2))}; calls lost ${list((x) => x.lost)}; longest wait ${list((x) => x.still)} ms`,
  );
}
