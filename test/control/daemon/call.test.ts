import { expect, test } from 'vitest';
import { Cgroup } from '../../../src/control/cgroup/index.ts';
import { Call } from '../../../src/control/daemon/call.ts';

test('of a call about which much is decided the record has the latest', () => {
  const kept = { version: 1, call: 's.1', number: 1, start: 0, tool: 'Bash', via: 'shim', background: true } as const;
  const call = new Call(new Cgroup('/no/such/cgroup'), kept, new Set());
  expect(call.record('s', 't').explanations).toBeUndefined();
  const all = Array.from({ length: 1777 }, (_, t) => ({ t, text: `throttled ${t}` }));
  for (const explanation of all) call.explain(explanation);
  expect(call.record('s', 't').explanations).toEqual(all.slice(-500));
});
