/** CPU and IO weights (tenant by weight and priority, session by priority, calls by what they are) and limits of processes. */
import type { Target } from './actions.ts';
import { type Draft, modeOf } from './draft.ts';
import type { PolicyEvent } from './events.ts';
import type { Session, Tenant } from './state.ts';

/** The kernel's default. */
const BORN = 100;
const ofPriority = { high: 400, normal: 100, low: 25 } as const;

/** What is in force then: a weight that is another one than before is written, and taken back where nothing is enforced. */
function weigh(d: Draft, of: Tenant | Session, target: Target, weight: number): number | null {
  const want = modeOf(d, of) === 'enforce' ? weight : null;
  if (want === of.weighs) return want;
  d.actions.push({ type: 'weight', target, cpu: want ?? BORN, io: want ?? BORN });
  return want;
}

export function weights(d: Draft, event: PolicyEvent): void {
  if (event.type === 'session-start' || event.type === 'config') {
    for (const t of Object.values(d.state.tenants)) {
      // else priority would count inside a tenant only
      const w = Math.min(10_000, Math.max(1, Math.round((t.weight * ofPriority[t.priority]) / BORN)));
      t.weighs = weigh(d, t, { kind: 'tenant', tenant: t.name }, w);
    }
    for (const s of d.sessions) {
      const before = s.weighs;
      s.weighs = weigh(d, s, { kind: 'session', session: s.id }, ofPriority[s.priority]);
      if ((before === null) === (s.weighs === null)) continue;
      // the agent's own few cycles come before its tools'
      const w = s.weighs === null ? BORN : 400;
      d.actions.push({ type: 'weight', target: { kind: 'agent', session: s.id }, cpu: w, io: w });
    }
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
