/** The upper rungs: throttle, freeze, kill; and the ways back down. */
import { formatDuration, formatSize } from '../../model/index.ts';
import type { KillReason } from './actions.ts';
import { brakeFits } from './bands.ts';
import { type Draft, modeOf, sayOfCall } from './draft.ts';
import type { PolicyEvent } from './events.ts';
import { adjustPaces, firstPace, TRICKLE } from './pace.ts';
import { levelOf, type Scope, scopesOf, sparedOf, starvedBelow } from './scopes.ts';
import { heldTo, rateOf, tiered } from './seen.ts';
import { type Call, rankOf } from './state.ts';
import { matters, victimOrder, wants } from './victims.ts';

/** Growth below this in spite of a throttle is none, bytes per second. */
const GROWTH = 1 << 20;
/**
 * The governor holds whoever comes back to user mode: more than this per second above its pace grows only one long system call. A huge
 * page that a look finds after 50 ms is 40 MiB a second. Bytes per second.
 */
const UNHELD = 64 << 20;
/** How long a kill may take to free memory before another one, milliseconds. */
const KILL_SETTLES = 2000;

const numbers = (s: Scope, mark: 'low' | 'critical') =>
  s.headroom < s[mark]
    ? `${s.words} headroom ${formatSize(Math.max(0, s.headroom))}, below ${formatSize(s[mark])}`
    : `${s.words} headroom ${formatSize(s.headroom)} and growth ${formatSize(s.growth)}/s`;

const rankWords = ['low-priority', 'normal', 'high-priority'];

/** Paused time of a call, the current pause included. Milliseconds. */
export function pausesOf(c: Call, now: number): { throttledMs: number; frozenMs: number } {
  const current = now - c.rungSince;
  return {
    throttledMs: c.throttledMs + (c.rung === 'throttled' ? current : 0),
    frozenMs: c.frozenMs + (c.rung === 'frozen' ? current : 0),
  };
}

function leaveRung(d: Draft, c: Call): void {
  const p = pausesOf(c, d.now);
  c.throttledMs = p.throttledMs;
  c.frozenMs = p.frozenMs;
  c.rung = 'none';
  c.rungSince = d.now;
  c.pausedFor = null;
  // its growth counts again, or no longer
  d.scopes = undefined;
}

function freeze(d: Draft, s: Scope, c: Call, why: string): void {
  leaveRung(d, c);
  c.rung = 'frozen';
  c.pausedFor = s.key;
  d.actions.push({ type: 'freeze', call: c.id });
  sayOfCall(d, 'freeze', c, `frozen: ${why}`);
}

/** A ceiling is in force so long after the reading it comes from, milliseconds. */
const WRITTEN = 50;

function throttle(d: Draft, s: Scope, c: Call, pace: number, why: string): void {
  leaveRung(d, c);
  c.rung = 'throttled';
  c.pausedFor = s.key;
  c.pace = Math.round(pace);
  c.pacedAt = d.now;
  // its cache does not count: it is the first to go; a ceiling it has outgrown by the time it is written would put it to sleep
  const high = Math.max(Math.round(c.seen.working + (c.seen.rate * WRITTEN) / 1000), TRICKLE);
  c.pacedTo = high;
  c.applied = { ...c.applied, high };
  if (d.state.governed) c.seen = heldTo(c.seen, c.pace);
  const target = { kind: 'call', call: c.id } as const;
  d.actions.push({ type: 'throttle', target, high, bytesPerSecond: c.pace });
  sayOfCall(d, 'throttle', c, `throttled: ${why}`);
}

/** Ends a pause. The call then runs for `ladder.rest` at least. */
function release(d: Draft, c: Call, why: string): void {
  const was = c.rung;
  const { throttledMs, frozenMs } = pausesOf(c, d.now);
  const spent = d.now - c.rungSince;
  leaveRung(d, c);
  c.restUntil = d.now + d.state.config.ladder.rest;
  if (was === 'frozen') d.actions.push({ type: 'thaw', call: c.id });
  // the soft ceiling itself comes from the bands, later in this step
  c.applied = { ...c.applied, high: 'max' };
  if (was === 'throttled') d.actions.push({ type: 'unthrottle', target: { kind: 'call', call: c.id }, high: 'max' });
  const verb = was === 'frozen' ? 'thawed' : 'released';
  sayOfCall(d, was === 'frozen' ? 'thaw' : 'unthrottle', c, `${verb} after ${formatDuration(spent)}: ${why}`);
  if (throttledMs + frozenMs >= d.state.config.feedback.pausedAtLeast)
    d.actions.push({ type: 'advise', call: c.id, kind: frozenMs >= throttledMs ? 'frozen' : 'throttled' });
}

/** Kills a call as a whole, with the reason its agent is told. In mode observe it is only said, once a minute at most. */
export function kill(d: Draft, c: Call, reason: KillReason, why: string): void {
  if (modeOf(d, c) !== 'enforce') {
    observed(d, c, 'kill', `killed it: ${why}`);
    return;
  }
  leaveRung(d, c);
  c.rung = 'killed';
  d.actions.push({ type: 'kill', call: c.id, reason }, { type: 'advise', call: c.id, kind: reason });
  sayOfCall(d, 'kill', c, `killed: ${why}`);
}

function observed(d: Draft, c: Call, decision: string, text: string): void {
  if (modeOf(d, c) === 'off' || (c.observedAt !== null && d.now - c.observedAt < 60_000)) return;
  c.observedAt = d.now;
  sayOfCall(d, decision, c, text, true);
}

const paused = (c: Call): boolean => c.rung === 'throttled' || c.rung === 'frozen';

/** Ends what has lasted long enough, what is not needed any more, and the pause of the best when nobody else runs. */
export function endPauses(d: Draft): void {
  const all = d.present.filter(paused);
  const scopes = scopesOf(d);
  const { ladder } = d.state.config;
  for (const s of scopes) {
    if (levelOf(d, s) === 'calm') d.state.calmSince[s.key] ??= d.now;
    else delete d.state.calmSince[s.key];
  }
  if (all.length === 0) return;
  const free = (c: Call, why: string) => {
    release(d, c, why);
    // the next one waits for calm again: what this one takes must be seen first
    for (const s of scopes) if (s.calls.includes(c)) delete d.state.calmSince[s.key];
  };
  // the last in the order of victims is the first to go on
  for (const c of victimOrder(d, all).reverse()) {
    const its = scopes.filter((s) => s.calls.includes(c));
    const { frozenMs } = pausesOf(c, d.now);
    const spent = d.now - c.rungSince;
    if (modeOf(d, c) !== 'enforce') free(c, 'its tenant is not under enforcement any more');
    else if (frozenMs >= ladder.freezeTotal)
      free(c, `it has been frozen for ${formatDuration(frozenMs)} in all, the bound`);
    else if (c.rung === 'frozen' && spent >= ladder.freezeSlice) free(c, 'the bound of one freeze; others give way');
    else if (its.every((s) => d.now - (d.state.calmSince[s.key] ?? d.now) >= ladder.calm && s.key in d.state.calmSince))
      free(c, `memory is not short: ${its.at(-1)!.words} headroom ${formatSize(Math.max(0, its.at(-1)!.headroom))}`);
    else if (c.rung === 'throttled' && spent >= ladder.throttleMax) {
      const still = its.find((s) => levelOf(d, s) === 'critical');
      if (!still || !someoneBenefits(d, still, c)) free(c, 'the bound of one throttle');
      // held to a rate it takes no more than if it stood still, and gets on with what needs no memory: for as long as both would last
      else if (!d.state.governed)
        freeze(d, still, c, `throttled for ${formatDuration(spent)}, ${numbers(still, 'critical')}`);
      else if (spent >= ladder.throttleMax + ladder.freezeSlice)
        free(c, 'the bound of one throttle while memory is critically short');
    }
  }
  for (const [at, s] of scopes.entries()) {
    const foreground = s.calls.filter((c) => c.phase !== 'background' && c.rung !== 'killed');
    if (foreground.length === 0 || foreground.some((c) => c.rung === 'none' && matters(d, c))) continue;
    // a kill on its way will make room: then the right one goes on
    if (s.calls.some((c) => c.rung === 'killed' && d.now - c.rungSince < KILL_SETTLES)) continue;
    // who was paused for the sake of a scope around this one waits for somebody there
    const here = foreground.filter((c) => scopes.findIndex((x) => x.key === c.pausedFor) >= at);
    const best = victimOrder(d, here).at(-1);
    if (best) free(best, `nobody else runs in ${s.words}`);
  }
}

/** Pausing a call is of use only while someone of its rank or above runs whose end frees memory. */
function someoneBenefits(d: Draft, s: Scope, victim: Call): boolean {
  const rank = rankOf(d.state, victim, d.now);
  return s.calls.some(
    (c) =>
      c !== victim &&
      c.rung === 'none' &&
      c.phase !== 'background' &&
      rankOf(d.state, c, d.now) >= rank &&
      matters(d, c),
  );
}

/** Pauses who grows while memory is short: one at a time, and more at once only when it is critical. */
export function pause(d: Draft, event: PolicyEvent): void {
  const { ladder } = d.state.config;
  for (const s of scopesOf(d)) {
    const level = levelOf(d, s);
    if (level !== 'short' && level !== 'critical') continue;
    if (level === 'short' && d.now - (d.state.actedAt[s.key] ?? -1e12) < ladder.sampleEvery) continue;
    let { growth } = s;
    for (const c of victimOrder(
      d,
      s.calls.filter((x) => x.rung === 'none' && wants(d, x)),
    )) {
      if (c.phase === 'admitted' || d.now < c.restUntil || pausesOf(c, d.now).frozenMs >= ladder.freezeTotal) continue;
      if (!someoneBenefits(d, s, c)) continue;
      const why = `${numbers(s, level === 'critical' ? 'critical' : 'low')}; ${describe(d, c)}`;
      if (modeOf(d, c) !== 'enforce') {
        observed(d, c, level === 'critical' ? 'freeze' : 'throttle', `paused it: ${why}`);
        continue;
      }
      growth -= rateOf(d.state, c.seen, d.now);
      if ((level === 'short' && brakeFits(d, s, c)) || d.state.governed) throttle(d, s, c, firstPace(d, s, c), why);
      else freeze(d, s, c, why);
      d.state.actedAt[s.key] = d.now;
      if (s.headroom - (growth * ladder.horizon) / 1000 > s.critical) break;
    }
    // a throttled call that goes on growing while it is critical is frozen
    if (level === 'critical')
      for (const c of s.calls)
        if (
          c.rung === 'throttled' &&
          c.seen.rate > 2 * Math.max(GROWTH, c.pace) &&
          // growth of before the present pace was in force says nothing
          d.now > Math.max(c.rungSince, c.pacedAt) + ladder.sampleEvery &&
          someoneBenefits(d, s, c)
        ) {
          const why = `${numbers(s, 'critical')}; still growing by ${formatSize(c.seen.rate)}/s though throttled`;
          if (!d.state.governed || c.seen.rate > UNHELD + 8 * c.pace) freeze(d, s, c, why);
        }
  }
  adjustPaces(d, event);
}

const describe = (d: Draft, c: Call) =>
  `first in the order of victims: ${rankWords[rankOf(d.state, c, d.now)]}, using ${formatSize(c.seen.working)}`;

/**
 * By so much a kill comes before memory is used up, milliseconds: so long we may take to act. Who is late with the governor has held who
 * needs it for a moment, not lost it.
 */
const KILL_TAKES = { files: 100, governed: 50 };

/**
 * The last rung: memory is critically short, someone starves, and nothing is left to pause. The wait is shorter when the
 * one who starves outranks the victim, and there is none when it would meet its own hard ceiling first.
 */
export function killTheFirst(d: Draft): void {
  const { ladder } = d.state.config;
  for (const s of scopesOf(d)) {
    // deep in what throttled calls leave alone, which is there to be taken; but above where hard ceilings end, lest nobody ever starves
    const left = starvedBelow(d, s);
    const rate = (c: Call) => rateOf(d.state, c.seen, d.now, 'steady');
    // until we have acted
    const taken = (c: Call) => (rate(c) * tiered(d.state, KILL_TAKES)) / 1000;
    const soon = (c: Call) => s.headroom < Math.min(s.low, left + taken(c));
    // a pause for the sake of another scope does not end what it suffers in this one
    const unpaused = (c: Call) => c.rung === 'none' || (paused(c) && c.pausedFor !== s.key);
    const starving = s.calls.filter((c) => unpaused(c) && wants(d, c) && soon(c));
    if (starving.length === 0) {
      delete d.state.starvedSince[s.key];
      continue;
    }
    d.state.starvedSince[s.key] ??= d.now;
    if (s.calls.some((c) => c.rung === 'killed' && d.now - c.rungSince < KILL_SETTLES)) continue;
    const rank = Math.max(...starving.map((c) => rankOf(d.state, c, d.now)));
    const worth = Math.max(16 * 2 ** 20, s.limit / 64);
    const order = victimOrder(
      d,
      s.calls.filter(
        (c) =>
          c.rung !== 'killed' &&
          rankOf(d.state, c, d.now) <= rank &&
          (c.seen.working >= worth || starving.includes(c)) &&
          modeOf(d, c) !== 'off',
      ),
    );
    const victim = order.find((c) => modeOf(d, c) === 'enforce');
    const outranked = victim !== undefined && rankOf(d.state, victim, d.now) < rank;
    const waited = d.now - d.state.starvedSince[s.key]!;
    // as it grows now, the next that one of the others would meet is its own hard ceiling
    const cornered = starving.some((c) => c !== victim && rate(c) > GROWTH && s.headroom < sparedOf(d, s) + taken(c));
    const wait = cornered ? 0 : outranked ? ladder.killAfterHigh : ladder.killAfter;
    if (waited < wait || (!outranked && s.headroom >= s.critical)) continue;
    for (const c of order) {
      if (c === victim) break;
      observed(d, c, 'kill', `killed it: ${numbers(s, 'critical')}`);
    }
    if (!victim) continue;
    const alone = starving.length === 1 && starving[0] === victim;
    const forWhom = alone
      ? 'it needs more'
      : starving.length === 1
        ? 'another call needs more'
        : `${starving.length} calls need more`;
    kill(
      d,
      victim,
      'ceiling',
      `${numbers(s, 'critical')} for ${formatDuration(waited)}, ${forWhom}; ${describe(d, victim)}`,
    );
    delete d.state.starvedSince[s.key];
  }
}
