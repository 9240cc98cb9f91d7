import { expect, test } from 'vitest';
import { CallTracker } from '../../../src/control/record/calls.ts';
import type { Process } from '../../../src/control/record/processes.ts';
import type { CallRecord } from '../../../src/model/index.ts';

/** A process as the tracker sees one. */
function fake(
  pid: number,
  ppid: number,
  comm: string,
  argv: string[],
  more: { leads?: boolean; mb?: number } = {},
): Process {
  const stat = {
    comm,
    state: 'S',
    ppid,
    sessionId: more.leads ? pid : 1,
    userUsec: pid * 1000,
    systemUsec: 0,
    threads: 1,
    startTicks: pid,
    rssBytes: (more.mb ?? 1) * 1e6,
  };
  const memory = () => ({ memory: stat.rssBytes, anon: stat.rssBytes, file: 0, swap: 0 });
  return { pid, stat, argv: () => argv, memory } as unknown as Process;
}

function tracked() {
  const written: CallRecord[] = [];
  const tracker = new CallTracker({ session: 's', tenant: 't' }, (r) => written.push({ ...r }));
  const members = new Map<number, Process>();
  const look = (t: number, come: Process[], go: Process[] = []) => {
    for (const p of go) members.delete(p.pid);
    for (const p of come) members.set(p.pid, p);
    tracker.update(members, go, new Set([1]), t);
    return tracker.usage(t);
  };
  return { written, look, tracker };
}

const agent = fake(1, 0, 'bash', ['bash', '-c', 'agent'], { leads: true });

test('a shell with a script is a call with all it starts; the agent it was attached to is none', () => {
  const { written, look } = tracked();
  const shell = fake(10, 1, 'bash', ['bash', '-c', 'make -j2']);
  const worker = fake(11, 10, 'cc1', ['cc1'], { mb: 300 });
  const helper = fake(5, 1, 'node', ['node']);
  expect(look(1e6, [agent, helper]).calls).toEqual([]);
  const { calls, rest } = look(1e6 + 100, [shell, worker]);
  expect(calls.map((c) => c.usage.memoryBytes)).toEqual([301e6]);
  expect(rest).toEqual([agent, helper]);
  look(1e6 + 200, [], [worker]);
  look(1e6 + 300, [], [shell]);
  expect(written).toMatchObject([
    {
      command: 'make -j2',
      via: 'process-tree',
      end: 1e6 + 300,
      peakBytes: 301e6,
      maxPids: 2,
      peakProcess: { comm: 'cc1', rssBytes: 300e6 },
      cpuUserUsec: 21_000,
    },
  ]);
  expect(written[0]).not.toHaveProperty('background');
});

test('a shell that became its only command is known by leading a session', () => {
  const { written, look } = tracked();
  const p = fake(10, 1, 'pytest', ['pytest', '-q'], { leads: true });
  look(1e6, [agent, p]);
  look(1e6 + 100, [], [p]);
  expect(written).toMatchObject([{ command: 'pytest -q' }]);
});

test('a process becomes a call when it becomes a shell', () => {
  const { written, look } = tracked();
  const p = fake(10, 1, 'codex', ['codex', 'setup']);
  expect(look(1e6, [agent, p]).calls).toHaveLength(0);
  p.stat = { ...p.stat, comm: 'bash' };
  Object.assign(p, { argv: () => ['/bin/bash', '-c', 'ls'] });
  expect(look(1e6 + 100, []).calls).toHaveLength(1);
  look(1e6 + 200, [], [p]);
  expect(written).toMatchObject([{ command: 'ls' }]);
});

test('nested shells are part of the call; what runs on after the shell makes it a background call, written again at its end', () => {
  const { written, look } = tracked();
  const shell = fake(10, 1, 'bash', ['bash', '-c', 'sh -c server &']);
  const inner = fake(11, 10, 'sh', ['sh', '-c', 'server'], { leads: true });
  look(1e6, [agent, shell, inner]);
  inner.stat = { ...inner.stat, ppid: 0 };
  const after = look(1e6 + 100, [], [shell]);
  expect(after.calls).toHaveLength(1);
  look(1e6 + 900, [], [inner]);
  expect(written).toMatchObject([
    { end: 1e6 + 100, background: true },
    { end: 1e6 + 100, background: true },
  ]);
});

test('a call that still runs at the end of the recording has no end', () => {
  const { written, look, tracker } = tracked();
  look(1e6, [agent, fake(10, 1, 'bash', ['bash', '-c', 'sleep'])]);
  tracker.close();
  expect(written).toHaveLength(1);
  expect(written[0]).not.toHaveProperty('end');
});
