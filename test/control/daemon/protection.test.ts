import { expect, test } from 'vitest';
import type { Engine } from '../../../src/control/daemon/engine.ts';
import { Protection } from '../../../src/control/daemon/kernel-tier/protection.ts';
import type { Memory, MemoryNeed } from '../../../src/control/kernel/index.ts';

function listener() {
  const heard: [number, MemoryNeed][] = [];
  const memory = { need: (id: number, need: MemoryNeed) => void heard.push([id, need]) } as unknown as Memory;
  return { memory, take: () => heard.splice(0) };
}

const session = (id: number, limits: { memoryBytes?: number }, state = 'running') => ({
  state,
  cgroup: { id },
  kept: { limits },
  calls: new Map<string, unknown>(),
});

test('sessions are told about when something changes, and all of them to a program that knows none', () => {
  const [bounded, free, ended] = [session(1, { memoryBytes: 100 }), session(2, {}), session(3, {}, 'ended')];
  const sessions = new Map([bounded, free, ended].map((s) => [String(s.cgroup.id), s]));
  const policy = { config: { session: {} } };
  const engine = { sessions, policy, lifecycle: { priorityOf: () => 'normal' } } as unknown as Engine;
  const protection = new Protection();
  const first = listener();

  protection.update(undefined, engine);
  protection.update(first.memory, engine);
  expect(first.take()).toEqual([
    [1, { most: 100, running: 0, priority: 'normal' }],
    [2, { most: Number.MAX_SAFE_INTEGER, running: 0, priority: 'normal' }],
  ]);
  protection.update(first.memory, engine);
  expect(first.take()).toEqual([]);
  free.calls.set('2.1', {});
  protection.update(first.memory, engine);
  expect(first.take()).toEqual([[2, { most: Number.MAX_SAFE_INTEGER, running: 1, priority: 'normal' }]]);
  const second = listener();
  protection.update(second.memory, engine);
  expect(second.take()).toHaveLength(2);
  expect(first.take()).toEqual([]);
});
