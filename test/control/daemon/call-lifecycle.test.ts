import { expect, test } from 'vitest';
import { Cgroup } from '../../../src/control/cgroup/index.ts';
import { CallLifecycle } from '../../../src/control/daemon/call-lifecycle.ts';
import type { PolicyDriver } from '../../../src/control/daemon/policy-driver.ts';
import { Session } from '../../../src/control/daemon/session.ts';
import type { TraceStore } from '../../../src/control/daemon/trace-store.ts';
import type { PolicyEvent } from '../../../src/control/policy/index.ts';
import { type CallRecord, parseConfig, type TraceRecord } from '../../../src/model/index.ts';

/** A lifecycle whose policy holds every call, and explains that. */
function holding() {
  const events: PolicyEvent['type'][] = [];
  const written: TraceRecord[] = [];
  const policy = {
    config: parseConfig({}, ''),
    send: (event: PolicyEvent) => {
      events.push(event.type);
      if (event.type === 'call-request') calls.waiting.explain(event.call, { t: Date.now(), text: 'held' });
    },
  } as unknown as PolicyDriver;
  const traces = { write: (_: string, record: TraceRecord) => written.push(record) } as unknown as TraceStore;
  const calls = new CallLifecycle(new Set(), policy, traces, (error) => {
    throw error;
  });
  const kept = { version: 1, session: 's', tenant: 't', priority: 'normal', start: 0, limits: {} } as const;
  const session = new Session(new Cgroup('/no/such/cgroup'), { ...kept, argv: [], oomScoreAdj: 0, uid: 0 });
  const begin = (signal: AbortSignal) =>
    calls.begin(
      session,
      { tool: 'Bash', command: 'make', environmentHint: undefined, via: 'shim', holder: undefined },
      signal,
    );
  return { begin, calls, session, events, written: written as CallRecord[] };
}

test('a call that is given up while it is held leaves a record that says so, and that nobody has killed it', async () => {
  const { begin, session, events, written } = holding();
  const asking = new AbortController();
  const call = begin(asking.signal);
  await new Promise((done) => setTimeout(done, 20));
  asking.abort();
  await expect(call).rejects.toMatchObject({ code: 'ACG_NO_CALL' });
  expect(events).toEqual(['call-request', 'call-cancel']);
  expect(written).toMatchObject([
    { type: 'call', call: 's.1', command: 'make', exitCode: null, signal: null, heldMs: written[0]!.durationMs },
  ]);
  expect(written[0]!.heldMs).toBeGreaterThan(10);
  expect(written[0]!.killedBy).toBeUndefined();
  expect(written[0]!.explanations!.map(({ text }) => text)).toEqual([
    'held',
    'nothing of it ran under control: s.1 was given up while it waited',
  ]);
  expect(session.records.get('s.1')).toEqual(written[0]);
});

test('who has hung up before the question was put is not waited for', async () => {
  const { begin, calls, events } = holding();
  await expect(begin(AbortSignal.abort())).rejects.toMatchObject({ code: 'ACG_NO_CALL' });
  expect(events).toEqual(['call-request', 'call-cancel']);
  expect(calls.waiting.explain('s.1', { t: 0, text: '' })).toBe(false);
});
