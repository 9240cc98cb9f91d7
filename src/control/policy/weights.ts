/** CPU and IO weights (tenant by weight and priority, session by priority, calls by what they are) and limits of processes: set once, on arrival. */
import { type Draft, modeOf } from './draft.ts';
import type { PolicyEvent } from './events.ts';

/** The kernel's default. */
const BORN = 100;
const ofPriority = { high: 400, normal: 100, low: 25 } as const;

export function weights(d: Draft, event: PolicyEvent): void {
  if (event.type === 'session-start') {
    const s = d.state.sessions[event.session]!;
    if (modeOf(d, s) !== 'enforce') return;
    const w = ofPriority[s.priority];
    const tenant = d.state.tenants[s.tenant]!;
    // else priority would count inside a tenant only
    const ofTenant = Math.min(10_000, Math.max(1, Math.round((tenant.weight * ofPriority[tenant.priority]) / BORN)));
    d.actions.push(
      { type: 'weight', target: { kind: 'tenant', tenant: s.tenant }, cpu: ofTenant, io: ofTenant },
      { type: 'weight', target: { kind: 'session', session: s.id }, cpu: w, io: w },
      // the agent's own few cycles come before its tools'
      { type: 'weight', target: { kind: 'agent', session: s.id }, cpu: 400, io: 400 },
    );
  }
  for (const c of d.arrived) {
    if (modeOf(d, c) !== 'enforce') continue;
    const quick = c.class === 'vcs' || c.class === 'search' || c.class === 'small';
    const background = c.hint.priority === 'background';
    const weight = (level: string | undefined) => (background || level === 'low' ? 25 : quick ? 200 : BORN);
    const [cpu, io] = [weight(c.hint.cpu), weight(c.hint.io)];
    d.actions.push({ type: 'pids', call: c.id, max: c.pidsMax });
    // a new cgroup has the weight of most calls, and each write is waited for by the one who asked
    if (cpu !== BORN || io !== BORN) d.actions.push({ type: 'weight', target: { kind: 'call', call: c.id }, cpu, io });
  }
}
