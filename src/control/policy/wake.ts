/** When must the policy look again if nothing else happens? */
import type { Draft } from './draft.ts';

export function wake(d: Draft): void {
  const { state, now } = d;
  const { ladder, admission, call: limits } = state.config;
  let at = Number.POSITIVE_INFINITY;
  const bound = (t: number) => {
    if (t < at) at = Math.max(t, now + 1);
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
  for (const since of Object.values(state.starvedSince)) bound(since + ladder.killAfter);
  if (at === Number.POSITIVE_INFINITY) state.wakeAt = null;
  else if (state.wakeAt !== at) {
    state.wakeAt = at;
    d.actions.push({ type: 'wake', at });
  }
}
