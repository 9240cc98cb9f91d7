/** One step in the making: the new state and what is decided so far. Made and changed only inside `step`. */
import type { Action, Explanation } from './actions.ts';
import type { Scope } from './scopes.ts';
import type { Call, Session, State, Tenant } from './state.ts';

export interface Draft {
  state: State;
  now: number;
  /** What is in `state`, as lists: looking through them is most of the work of a step. */
  sessions: Session[];
  calls: Call[];
  /** Calls that have a cgroup: everything but held ones. */
  present: Call[];
  /** Kept until something moves between scopes or changes its rung: see scopesOf. */
  scopes: Scope[] | undefined;
  /** Calls that got their cgroup in this step. */
  arrived: Call[];
  actions: Action[];
  explanations: Explanation[];
}

/** May the policy act on this tenant, or on what belongs to it, only say what it would do, or nothing? */
export function modeOf(d: Draft, of: Call | Session | Tenant): 'off' | 'observe' | 'enforce' {
  const { mode } = 'tenant' in of ? d.state.tenants[of.tenant]! : of;
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

/** Lists `state` again, after something came or went. */
export function listAgain(d: Draft): void {
  d.sessions = Object.values(d.state.sessions);
  d.calls = Object.values(d.state.calls);
  d.present = d.calls.filter((c) => c.phase !== 'held');
  d.scopes = undefined;
}
