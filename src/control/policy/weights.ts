/** CPU and IO weights (tenant by weight, session by priority, calls by what they are) and limits of processes: set once, on arrival. */
import { type Draft, modeOf } from './draft.ts';
import type { PolicyEvent } from './events.ts';

const ofPriority = { high: 400, normal: 100, low: 25 } as const;

export function weights(d: Draft, event: PolicyEvent): void {
  if (event.type === 'session-start') {
    const s = d.state.sessions[event.session]!;
    if (modeOf(d, s) !== 'enforce') return;
    const w = ofPriority[s.priority];
    const tenant = d.state.tenants[s.tenant]!;
    d.actions.push(
      { type: 'weight', target: { kind: 'tenant', tenant: s.tenant }, cpu: tenant.weight, io: tenant.weight },
      { type: 'weight', target: { kind: 'session', session: s.id }, cpu: w, io: w },
      // the agent's own few cycles come before its tools'
      { type: 'weight', target: { kind: 'agent', session: s.id }, cpu: 400, io: 400 },
    );
  }
  for (const c of d.arrived) {
    if (modeOf(d, c) !== 'enforce') continue;
    const quick = c.class === 'vcs' || c.class === 'search' || c.class === 'small';
    const background = c.hint.priority === 'background';
    const weight = (level: string | undefined) => (background || level === 'low' ? 25 : quick ? 200 : 100);
    const target = { kind: 'call', call: c.id } as const;
    d.actions.push(
      { type: 'pids', call: c.id, max: c.pidsMax },
      { type: 'weight', target, cpu: weight(c.hint.cpu), io: weight(c.hint.io) },
    );
  }
}
