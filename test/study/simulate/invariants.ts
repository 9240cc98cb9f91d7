/** The invariants of DESIGN section 7, watched over a whole run. Returns what was broken, in words. */
import { marks, rankOf } from '../../../src/control/policy/index.ts';
import { type Config, parseConfig } from '../../../src/model/index.ts';
import { type Outcome, simulate, type Watched, type Workload } from '../../../src/study/simulate/index.ts';

/** Tenants of the arbitrary workloads: high, so that the sessions' own priorities count; weights differ. */
export const config = (more: Record<string, unknown> = {}): Config =>
  parseConfig({
    tenants: { a: { priority: 'high' }, b: { priority: 'high', weight: 200 }, c: { priority: 'high', weight: 50 } },
    ...more,
  });

const MIB = 2 ** 20;
const TICK = 100;
/** Bounds are kept to within a tick, a sample and the answer to it. */
const SLOP = 700;

interface Pause {
  rung: 'throttled' | 'frozen';
  since: number;
}

export function broken(
  w: Workload,
  c: Config = config(),
  { count, governed = false }: { count?: (o: Outcome) => void; governed?: boolean } = {},
): string[] {
  const wrong: string[] = [];
  const pauses = new Map<string, Pause>();
  const endedPause = new Map<string, number>();
  const told = new Map<string, string>();
  const explained = new Set<string>();

  const watch = ({ before, event, actions, explanations, state, now }: Watched) => {
    for (const e of explanations) if (e.call) explained.add(`${e.call} ${e.decision}`);
    const close = (call: string) => {
      const p = pauses.get(call);
      pauses.delete(call);
      if (!p) return;
      // held to a rate while memory is critically short, a call is where it would be frozen without the governor
      const { throttleMax, freezeSlice } = c.ladder;
      const bound = p.rung === 'frozen' ? freezeSlice : throttleMax + (governed ? freezeSlice : 0);
      if (now - p.since > bound + SLOP) wrong.push(`3: ${call} was ${p.rung} for ${now - p.since} ms`);
      endedPause.set(call, now);
    };
    for (const a of actions) {
      if (a.type === 'freeze' || (a.type === 'throttle' && a.target.kind === 'call')) {
        const call = a.type === 'freeze' ? a.call : a.target.kind === 'call' ? a.target.call : '';
        const rung = a.type === 'freeze' ? 'frozen' : 'throttled';
        const escalates = pauses.get(call)?.rung === 'throttled' && rung === 'frozen';
        const rested = now - (endedPause.get(call) ?? Number.NEGATIVE_INFINITY);
        close(call);
        if (!escalates && rested < c.ladder.rest)
          wrong.push(`hysteresis: ${call} ${rung} ${rested} ms after its last pause`);
        pauses.set(call, { rung, since: now });
        // 2 and 5: only for the sake of someone of its rank or above, and only while memory is short
        const me = state.calls[call]!;
        const others = Object.values(state.calls).filter((o) => o.id !== call && o.phase !== 'held');
        const above = others.filter((o) => rankOf(state, o, now) >= rankOf(state, me, now));
        if (above.length === 0) wrong.push(`2: ${call} paused for lower ranks`);
        // who holds nothing and has long begun gives nothing back either; whose pages come back from swap is about to hold something
        const idle = ({ seen }: (typeof above)[number]) => seen.working < MIB && seen.rate === 0 && seen.thrash === 0;
        if (above.every((o) => idle(o) && now - o.startedAt > 5000))
          wrong.push(`3: ${call} paused for who holds nothing`);
        if (!explained.has(`${call} ${a.type}`)) wrong.push(`${call} ${rung} without an explanation`);
        checkShort(a.type, call, state, now);
      } else if (a.type === 'thaw') close(a.call);
      else if (a.type === 'unthrottle' && a.target.kind === 'call') close(a.target.call);
      else if (a.type === 'kill') {
        close(a.call);
        const me = state.calls[a.call]!;
        if (!explained.has(`${a.call} kill`)) wrong.push(`${a.call} killed without an explanation`);
        if (a.reason === 'ceiling') {
          checkShort('kill', a.call, state, now);
          // 2: nobody of a lower rank is spared whose memory would have helped (a tenant or session kills its own)
          const spared = Object.values(state.calls).find(
            (o) =>
              o.phase !== 'held' &&
              o.rung !== 'killed' &&
              o.seen.working > state.capacity / 16 &&
              rankOf(state, o, now) < rankOf(state, me, now),
          );
          if (spared && c.session.budget === undefined) wrong.push(`2: ${a.call} killed before ${spared.id}`);
        }
      } else if (a.type === 'advise') told.set(a.call, a.kind);
      else if (a.type === 'bands' && a.target.kind === 'call') checkNumbers(a, wrong);
    }
    if (event.type === 'call-end') close(event.call);
    if (before.capacity !== state.capacity) wrong.push('capacity changed by itself');
  };

  // the node, the call's tenant and its session: whichever of them has a limit, one must be short
  const checkShort = (what: string, call: string, state: Watched['state'], now: number) => {
    const { session, tenant } = state.calls[call]!;
    const headroom = (
      limit: number | undefined | null,
      inside: (x: { session: string; tenant: string }) => boolean,
    ) => {
      if (limit === undefined || limit === null) return Number.POSITIVE_INFINITY;
      const used =
        Object.values(state.sessions).reduce(
          (n, s) => n + (inside({ session: s.id, tenant: s.tenant }) ? need(s, now) : 0),
          0,
        ) + Object.values(state.calls).reduce((n, x) => n + (inside(x) ? x.seen.working : 0), 0);
      return (limit * 15) / 16 - used - 4 * marks(c, limit).low;
    };
    const node = headroom(state.capacity, () => true);
    const rest = [
      headroom(state.tenants[tenant]!.budget, (x) => x.tenant === tenant),
      headroom(c.session.budget, (x) => x.session === session),
    ];
    if (Math.min(node, ...rest) > 0) wrong.push(`5: ${what} of ${call} though nothing is short`);
  };

  const outcome = simulate(w, { control: 'policy', config: c, watch, governed }, { until: 400_000, tickMs: TICK });
  count?.(outcome);
  for (const a of outcome.agents) {
    if (!a.alive) wrong.push(`1: the agent of ${a.session} died`);
    else if (!a.finished) wrong.push(`3: ${a.session} was not finished after 400 s`);
  }
  for (const call of outcome.calls) {
    if (call.heldMs > c.admission.maxWait + SLOP) wrong.push(`3: ${call.call} was held for ${call.heldMs} ms`);
    // all its freezes and a throttle in a row, the rests between them starved
    const longest = c.ladder.freezeTotal + c.ladder.freezeSlice + c.ladder.throttleMax + c.ladder.killAfter + SLOP;
    if (call.longestStillMs > longest) wrong.push(`3: ${call.call} stood still for ${call.longestStillMs} ms`);
    if ((call.end === 'killed' || call.end === 'oom') && !told.has(call.call))
      wrong.push(`4: nobody is told why ${call.call} ended`);
  }
  if (outcome.leftBytes !== 0) wrong.push(`4: ${outcome.leftBytes} bytes are left behind`);
  return wrong;
}

function checkNumbers(a: { low?: number; high?: number | 'max'; max?: number | 'max' }, wrong: string[]): void {
  for (const n of [a.low, a.high, a.max])
    if (n !== undefined && n !== 'max' && !(Number.isSafeInteger(n) && n >= 0))
      wrong.push(`not a number of bytes: ${n}`);
  if (typeof a.high === 'number' && typeof a.max === 'number' && a.high > a.max)
    wrong.push(`high ${a.high} above max ${a.max}`);
}

/** What counts for an agent; a new one counts as the paper's mean. */
const need = (s: Watched['state']['sessions'][string], now: number) =>
  Math.max(s.agent.working, s.baseline, now - s.startedAt < 1500 ? 185e6 : 0);

/** An undisturbed run of the same workload: a roomy node without anyone's control. */
export const alone = (w: Workload): Outcome =>
  simulate({ ...w, capacity: w.capacity * 8 }, { control: 'none' }, { until: 400_000, tickMs: TICK });
