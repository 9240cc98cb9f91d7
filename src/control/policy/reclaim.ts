/** Reclaim before pain: memory that nobody misses goes first. */
import { formatDuration, formatSize } from '../../model/index.ts';
import type { Target } from './actions.ts';
import { type Draft, modeOf, sayOfCall, sayOfSession } from './draft.ts';
import { scopesOf } from './scopes.ts';
import type { Seen } from './seen.ts';
import type { Call, ReclaimMark, Session } from './state.ts';
import { victimOrder } from './victims.ts';

const MIN = 2 ** 20;

/**
 * May this cgroup be reclaimed now? After each reclaim the refaults are looked at: more than `refaultsPerSecond` means that
 * its working set was cut; then it is left alone for `backoff` (senpai's idea, with refaults in the place of pressure).
 */
function due(d: Draft, of: { reclaim: ReclaimMark }, seen: Seen): boolean {
  const mark = of.reclaim;
  const { every, refaultsPerSecond, backoff } = d.state.config.reclaim;
  if (d.now < mark.notBefore || d.now - mark.last < every) return false;
  if (mark.bytes > 0) {
    const seconds = (d.now - mark.last) / 1000;
    const perSecond = (seen.refaults - mark.refaults) / seconds;
    const cut = perSecond > refaultsPerSecond;
    of.reclaim = { ...mark, bytes: 0, ...(cut && { notBefore: d.now + backoff }) };
    if (cut) return false;
  }
  return true;
}

function take(d: Draft, target: Target, of: { reclaim: ReclaimMark }, seen: Seen, bytes: number): void {
  of.reclaim = { ...of.reclaim, last: d.now, bytes, refaults: seen.refaults };
  d.actions.push({ type: 'reclaim', target, bytes });
}

/** While less than twice the low mark is free: sessions that wait for their LLM first, then what is paused, then caches. */
export function reclaim(d: Draft): void {
  const { reclaim: settings, session: limits } = d.state.config;
  if (!settings.enabled) return;
  for (const s of scopesOf(d)) {
    let missing = s.low * 2 - s.free;
    if (missing <= 0) continue;
    const idle = (x: Session) => x.idleSince !== null && d.now - x.idleSince >= limits.idleAfter;
    for (const x of s.sessions.filter(idle).toSorted((a, b) => a.idleSince! - b.idleSince!)) {
      if (missing < MIN) break;
      // with swap cold anonymous memory can go too, down to half: refaults tell when that was too much
      const spare = x.agent.inactiveFile + (d.state.swapFree > 0 ? Math.max(0, x.agent.anon - x.baseline / 2) : 0);
      const bytes = Math.floor(Math.min(spare, settings.step, missing));
      if (bytes < MIN || modeOf(d, x) !== 'enforce' || !due(d, x, x.agent)) continue;
      take(d, { kind: 'agent', session: x.id }, x, x.agent, bytes);
      sayOfSession(
        d,
        'reclaim',
        x,
        `reclaimed ${formatSize(bytes)}: it has waited for its LLM for ${formatDuration(d.now - x.idleSince!)}, ${s.words} has ${formatSize(Math.max(0, s.free))} free`,
      );
      missing -= bytes;
    }
    const atRest = (c: Call) => c.rung === 'frozen' || c.phase === 'background';
    const calls = victimOrder(
      d,
      s.calls.filter((c) => c.rung !== 'killed'),
    );
    for (const c of [...calls.filter(atRest), ...calls.filter((c) => !atRest(c))]) {
      if (missing < MIN) break;
      const spare = c.seen.inactiveFile + (c.rung === 'frozen' && d.state.swapFree > 0 ? c.seen.anon : 0);
      const bytes = Math.floor(Math.min(spare, settings.step, missing));
      if (bytes < MIN || modeOf(d, c) !== 'enforce' || !due(d, c, c.seen)) continue;
      take(d, { kind: 'call', call: c.id }, c, c.seen, bytes);
      sayOfCall(
        d,
        'reclaim',
        c,
        `reclaimed ${formatSize(bytes)}${c.rung === 'frozen' ? ' while frozen' : ' of its cache'}: ${s.words} has ${formatSize(Math.max(0, s.free))} free`,
      );
      missing -= bytes;
    }
  }
}
