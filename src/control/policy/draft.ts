/** One step in the making: the new state and what is decided so far. Made and changed only inside `step`. */
import type { Action, Explanation } from './actions.ts';
import type { Call, Session, State, Tenant } from './state.ts';

export interface Draft {
  state: State;
  now: number;
  /** Calls that got their cgroup in this step. */
  arrived: Call[];
  actions: Action[];
  explanations: Explanation[];
}

export const tenantOfCall = (d: Draft, call: Call): Tenant => d.state.tenants[call.tenant]!;

/** May the policy act on what belongs to this tenant, only say what it would do, or nothing? */
export function modeOf(d: Draft, of: Call | Session): 'off' | 'observe' | 'enforce' {
  const mode = d.state.tenants[of.tenant]!.mode;
  return d.state.config.dryRun && mode === 'enforce' ? 'observe' : mode;
}

/** Explains a decision about a call. */
export function sayOfCall(d: Draft, decision: string, call: Call, text: string, observed = false): void {
  d.explanations.push({
    t: d.now,
    decision,
    text: observed ? `would have: ${text}` : text,
    tenant: call.tenant,
    session: call.session,
    call: call.id,
    ...(observed && { observed: true as const }),
  });
}

/** Explains a decision about a session or its agent. */
export function sayOfSession(d: Draft, decision: string, session: Session, text: string): void {
  d.explanations.push({ t: d.now, decision, text, tenant: session.tenant, session: session.id });
}

/** Calls that have a cgroup: everything but held ones. */
export const present = (state: State): Call[] => Object.values(state.calls).filter((c) => c.phase !== 'held');
