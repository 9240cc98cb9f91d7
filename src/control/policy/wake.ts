/** When must the policy look again if nothing else happens? */
import type { Draft } from './draft.ts';

export function wake(d: Draft): void {
  const { state, now } = d;
  const { ladder, admission, call: limits } = state.config;
  let at = Number.POSITIVE_INFINITY;
  // a bound that has passed and could not be acted on is looked at again with the samples, not in a busy loop
  const bound = (t: number) => {
    at = Math.min(at, t > now ? t : now + ladder.sampleEvery);
  };
  for (const c of d.calls) {
    if (c.phase === 'held') bound(c.requestedAt + admission.maxWait);
    else if (limits.timeLimit !== undefined && c.phase !== 'background') bound(c.startedAt + limits.timeLimit);
    if (c.backgroundAt !== null && limits.backgroundLimit !== undefined) bound(c.backgroundAt + limits.backgroundLimit);
    if (c.rung === 'frozen')
      bound(c.rungSince + Math.min(ladder.freezeSlice, Math.max(0, ladder.freezeTotal - c.frozenMs)));
    if (c.rung === 'throttled') bound(c.rungSince + ladder.throttleMax);
    if (c.pidsSince !== null && c.rung !== 'killed') bound(c.pidsSince + ladder.forkBombAfter);
  }
  for (const s of d.sessions) if (s.throttledSince !== null) bound(s.throttledSince + ladder.throttleMax);
  for (const since of Object.values(state.starvedSince))
    bound(since + (now - since < ladder.killAfterHigh ? ladder.killAfterHigh : ladder.killAfter));
  if (at === Number.POSITIVE_INFINITY) state.wakeAt = null;
  else if (state.wakeAt !== at) {
    state.wakeAt = at;
    d.actions.push({ type: 'wake', at });
  }
}
