/** Events into state: what was seen, nothing decided. One row per event type. */

import { formatSize } from '../../model/index.ts';
import { needOf } from './admission.ts';
import { type Draft, modeOf, sayOfCall, sayOfSession } from './draft.ts';
import type { PolicyEvent, Usage } from './events.ts';
import { look, nothingSeen, type Seen } from './seen.ts';
import {
  boundedPriority,
  type Call,
  marks,
  neverReclaimed,
  nothingApplied,
  type Session,
  type Tenant,
  tenantOf,
} from './state.ts';

type Of<T extends PolicyEvent['type']> = Extract<PolicyEvent, { type: T }>;

/** What is needed can exceed a ceiling that is in force by no more than this, bytes. */
const UNWRITTEN = 4 * 2 ** 20;

function learnBaseline(d: Draft, s: Session): void {
  const { working } = s.agent;
  if (s.baseline === 0) s.baseline = working;
  // down quickly, but not while memory is short: what was reclaimed then is still needed
  else if (working < s.baseline) s.baseline += roomy(d) ? (working - s.baseline) * 0.3 : 0;
  // up slowly: a runaway must not teach us that it is normal
  else s.baseline += (working - s.baseline) * 0.005;
}

const roomy = ({ state }: Draft): boolean =>
  state.node !== null && state.capacity - state.node.current > 2 * marks(state.config, state.capacity).low;

function newTenant(d: Draft, name: string, applied = nothingApplied()): Tenant {
  d.state.tenants[name] ??= { ...tenantOf(d.state.config, name), applied, weighs: null };
  return d.state.tenants[name]!;
}

function newCall(d: Draft, e: Of<'call-request'> | Of<'call-start'>, phase: Call['phase']): Call | undefined {
  const session = d.state.sessions[e.session];
  if (!session) return undefined;
  const hint = e.hint ?? {};
  const { call: limits } = d.state.config;
  const call: Call = {
    id: e.call,
    session: session.id,
    tenant: session.tenant,
    number: d.state.nextNumber++,
    phase,
    hint,
    class: e.class ?? 'other',
    need: 0,
    requestedAt: d.now,
    held: false,
    startedAt: e.type === 'call-start' ? (e.startedAt ?? d.now) : d.now,
    backgroundAt: null,
    seen: nothingSeen(d.now),
    applied: nothingApplied(),
    reclaim: neverReclaimed(),
    pids: 0,
    pidsMax: Math.min(Math.max(hint.pids ?? limits.pids, 8), limits.pidsMax),
    pidsSince: null,
    pidsLast: 0,
    breachedAt: null,
    rung: 'none',
    rungSince: d.now,
    pace: 0,
    pacedTo: 0,
    pacedAt: d.now,
    pausedFor: null,
    throttledMs: 0,
    frozenMs: 0,
    restUntil: d.now,
    observedAt: null,
  };
  call.need = needOf(d.state, call);
  if (e.type === 'call-start' && e.inForce) {
    // its ceilings are decided afresh: whatever the last daemon had paused, its reasons are gone with it
    const enforced = modeOf(d, call) === 'enforce';
    call.applied = enforced ? { ...e.inForce, high: 'max', max: 'max' } : e.inForce;
  }
  d.state.calls[call.id] = call;
  session.idleSince = null;
  if (phase === 'running') d.arrived.push(call);
  return call;
}

/** What has changed since the root was read is changed there too, not only when it is read next. */
function shift(d: Draft, current: number, working: number): void {
  const { node } = d.state;
  if (!node) return;
  d.state.node = { current: Math.max(0, node.current + current), working: Math.max(0, node.working + working) };
}

/** A reading of one leaf without one of the root. */
function lookAtPart(d: Draft, before: Seen, u: Usage): Seen {
  const seen = look(d.state, before, u, d.now);
  shift(d, seen.current - before.current, seen.working - before.working);
  return seen;
}

function forgetScope({ state }: Draft, key: string): void {
  for (const times of [state.starvedSince, state.calmSince, state.actedAt]) delete times[key];
}

const forget = (d: Draft, seen: Seen): void => shift(d, -seen.current, -seen.working);

/** After a call has gone: does its session wait for its LLM now? */
function noteIdle(d: Draft, session: string): void {
  const s = d.state.sessions[session];
  const busy = Object.values(d.state.calls).some((c) => c.session === session && c.phase !== 'background');
  if (s && !busy) s.idleSince ??= d.now;
}

const rows: { [T in PolicyEvent['type']]: (d: Draft, e: Of<T>) => void } = {
  'session-start'(d, e) {
    const tenant = newTenant(d, e.tenant, e.inForce?.tenant);
    const { session: ofSession, agent: ofAgent } = e.inForce ?? {};
    d.state.sessions[e.session] = {
      id: e.session,
      tenant: e.tenant,
      priority: boundedPriority(tenant.priority, e.priority ?? null),
      ownPriority: e.priority ?? null,
      startedAt: d.now,
      ownBudget: e.budget ?? null,
      baseline: 0,
      agent: nothingSeen(d.now),
      applied: ofAgent ?? nothingApplied(),
      sessionApplied: ofSession ?? { ...nothingApplied(), max: e.budget ?? 'max' },
      weighs: null,
      reclaim: neverReclaimed(),
      idleSince: d.now,
      throttledSince: null,
      restUntil: d.now,
      reported: false,
    };
  },
  'session-end'(d, e) {
    const s = d.state.sessions[e.session];
    if (!s) return;
    delete d.state.sessions[e.session];
    forget(d, s.agent);
    for (const c of Object.values(d.state.calls)) {
      if (c.session !== e.session) continue;
      delete d.state.calls[c.id];
      forget(d, c.seen);
    }
    forgetScope(d, `session ${e.session}`);
    if (Object.values(d.state.sessions).some((other) => other.tenant === s.tenant)) return;
    // its cgroup goes as well: one that comes back has nothing written yet
    delete d.state.tenants[s.tenant];
    forgetScope(d, `tenant ${s.tenant}`);
  },
  'call-request'(d, e) {
    if (!d.state.calls[e.call]) newCall(d, e, 'held');
  },
  'call-cancel'(d, e) {
    const c = d.state.calls[e.call];
    if (c && (c.phase === 'held' || c.phase === 'admitted')) {
      delete d.state.calls[e.call];
      noteIdle(d, c.session);
    }
  },
  'call-start'(d, e) {
    const known = d.state.calls[e.call];
    if (!known) newCall(d, e, 'running');
    else if (known.phase === 'held' || known.phase === 'admitted') {
      known.phase = 'running';
      known.startedAt = e.startedAt ?? d.now;
    }
  },
  'call-background'(d, e) {
    const c = d.state.calls[e.call];
    if (!c) return;
    c.phase = 'background';
    c.backgroundAt ??= d.now;
    noteIdle(d, c.session);
  },
  'call-end'(d, e) {
    const c = d.state.calls[e.call];
    if (!c) return;
    delete d.state.calls[e.call];
    forget(d, c.seen);
    // what it leaves charged would move to its parent with the directory's removal
    if (e.left && e.left > 1 << 20 && d.state.tenants[c.tenant]!.mode !== 'off')
      d.actions.push({ type: 'reclaim', target: { kind: 'call', call: c.id }, bytes: e.left });
    noteIdle(d, c.session);
  },
  samples(d, e) {
    if (e.node) {
      const working = e.node.current - Math.min(e.node.inactiveFile ?? 0, e.node.current);
      d.state.node = { current: e.node.current, working };
      d.state.swapFree = e.node.swapFree ?? 0;
    }
    const whole = e.node !== undefined;
    for (const a of e.agents ?? []) {
      const s = d.state.sessions[a.session];
      if (!s) continue;
      const first = s.baseline === 0;
      const seen = whole ? look(d.state, s.agent, a, d.now) : lookAtPart(d, s.agent, a);
      s.agent = first ? { ...seen, rate: 0, steady: 0 } : seen;
      learnBaseline(d, s);
    }
    for (const u of e.calls ?? []) {
      const c = d.state.calls[u.call];
      if (!c) continue;
      c.seen = whole ? look(d.state, c.seen, u, d.now) : lookAtPart(d, c.seen, u);
      // then the last ceiling was not written, because it would have killed: it is asked for afresh
      if (c.applied.max !== 'max' && c.seen.working > c.applied.max + UNWRITTEN)
        c.applied = { ...c.applied, max: 'max' };
      c.pids = u.pids ?? c.pids;
      if (c.phase === 'admitted') c.phase = 'running';
    }
  },
  breach(d, e) {
    if ('call' in e.target) {
      const c = d.state.calls[e.target.call];
      if (!c) return;
      c.breachedAt = d.now;
      c.seen = lookAtPart(d, c.seen, e.usage);
    } else {
      const s = d.state.sessions[e.target.session];
      if (s) s.agent = lookAtPart(d, s.agent, e.usage);
    }
  },
  'pids-breach'(d, e) {
    const c = d.state.calls[e.call];
    if (!c) return;
    // breaches a second apart belong to one siege
    if (c.pidsSince === null || d.now - c.pidsLast > 1000) c.pidsSince = d.now;
    c.pidsLast = d.now;
  },
  pressure(d, e) {
    d.state.pressure = Math.min(Math.max(e.full, 0), 1);
  },
  'oom-kill'(d, e) {
    if ('session' in e.target) {
      const s = d.state.sessions[e.target.session];
      if (s) sayOfSession(d, 'oom', s, `the kernel killed in the agent itself, at ${formatSize(s.agent.current)}`);
      return;
    }
    const c = d.state.calls[e.target.call];
    if (!c) return;
    const { max } = c.applied;
    d.actions.push({ type: 'advise', call: c.id, kind: 'oom' });
    sayOfCall(
      d,
      'oom',
      c,
      `the kernel killed it at ${max === 'max' ? 'the limit of a parent' : `its hard ceiling of ${formatSize(max)}`}`,
    );
  },
  capacity(d, e) {
    d.state.capacity = e.bytes;
  },
  governor(d, e) {
    d.state.governed = e.inCharge;
  },
  config(d, e) {
    d.state.config = e.config;
    for (const t of Object.values(d.state.tenants)) Object.assign(t, tenantOf(e.config, t.name));
    for (const s of Object.values(d.state.sessions))
      s.priority = boundedPriority(d.state.tenants[s.tenant]!.priority, s.ownPriority);
  },
  timer(d) {
    // it may come a moment before its time: then it is asked for again
    d.state.wakeAt = null;
  },
};

/** Takes an event into the draft. Events about what is not known (any more) are ignored: they race with ends. */
export function intake(d: Draft, event: PolicyEvent): void {
  (rows[event.type] as (d: Draft, e: PolicyEvent) => void)(d, event);
}
