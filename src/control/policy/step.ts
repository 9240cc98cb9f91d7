/** One step of the policy, and the table of all its decisions. */
import type { Action, Explanation } from './actions.ts';
import { admission } from './admission.ts';
import { bands, protect } from './bands.ts';
import { type Draft, listAgain } from './draft.ts';
import type { PolicyEvent } from './events.ts';
import { intake } from './intake.ts';
import { endPauses, killTheFirst, pause } from './ladder.ts';
import { reclaim } from './reclaim.ts';
import { copyState, type State } from './state.ts';
import { forkBombs, runawayAgents, timeLimits } from './valves.ts';
import { wake } from './wake.ts';
import { weights } from './weights.ts';

/**
 * All decisions, in the order in which they are taken after every event. Valves first; then the ladder from its cheapest
 * rung; admission after it, so that a newcomer does not take what was just freed; ceilings last, from what then runs.
 */
export const decisions: readonly { name: string; what: string; decide: (d: Draft, e: PolicyEvent) => void }[] = [
  { name: 'fork bomb', what: 'kill a call that keeps forking at its limit of processes', decide: forkBombs },
  { name: 'time limit', what: 'kill a call at its configured time limit', decide: timeLimits },
  { name: 'agent', what: 'report a runaway agent; throttle it while memory is short', decide: runawayAgents },
  { name: 'reclaim', what: 'take back what nobody misses, sessions that wait for their LLM first', decide: reclaim },
  { name: 'release', what: 'end pauses: calm, bound reached, or nobody else runs', decide: endPauses },
  { name: 'pause', what: 'throttle, or freeze when critical, who grows while memory is short', decide: pause },
  {
    name: 'kill',
    what: 'kill the first victim when someone starves and nothing is left to pause',
    decide: killTheFirst,
  },
  { name: 'admission', what: 'let waiting calls in, or hold or refuse them', decide: admission },
  {
    name: 'weights',
    what: 'CPU and IO weights of what is new or configured anew, by the weight of its tenant and by priority',
    decide: weights,
  },
  { name: 'protect', what: 'floors of agents, high-priority calls and tenants', decide: protect },
  { name: 'bands', what: 'soft and hard ceilings of calls', decide: bands },
  { name: 'wake', what: 'ask for a timer at the next bound', decide: wake },
];

export interface Step {
  state: State;
  actions: Action[];
  explanations: Explanation[];
}

/**
 * What follows from an event. Pure and deterministic: the same state, event and time give the same step, and the given
 * state is not changed. `now` in milliseconds on one monotonic clock; it never runs backwards between steps.
 */
export function step(state: State, event: PolicyEvent, now: number): Step {
  const d: Draft = {
    state: copyState(state),
    now,
    sessions: [],
    calls: [],
    present: [],
    scopes: undefined,
    arrived: [],
    actions: [],
    explanations: [],
  };
  intake(d, event);
  listAgain(d);
  for (const { decide } of decisions) decide(d, event);
  return { state: d.state, actions: d.actions, explanations: d.explanations };
}
