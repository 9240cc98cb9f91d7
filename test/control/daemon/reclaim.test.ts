import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Cgroup } from '../../../src/control/cgroup/index.ts';
import { PolicyDriver } from '../../../src/control/daemon/policy-driver.ts';
import type { Target } from '../../../src/control/policy/index.ts';
import { parseConfig } from '../../../src/model/index.ts';

const MIB = 2 ** 20;

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** Writes to memory.reclaim that last until they are told to be over; all other files take what comes. */
function begin() {
  const asked: { path: string; bytes: number; over: () => void }[] = [];
  const cgroupOf = (target: Target) => {
    const path = `/nowhere/${target.kind}-${'call' in target ? target.call : 'session' in target ? target.session : ''}`;
    return Object.assign(new Cgroup(path), {
      reclaim: (bytes: number) =>
        new Promise<void>((over) => {
          asked.push({ path, bytes, over });
        }),
      read: (file: string) => (file === 'memory.current' ? 40 * MIB : undefined),
      write: () => ({ enforced: true }),
    }) as unknown as Cgroup;
  };
  const reported: unknown[] = [];
  const nothing = () => {};
  const hands = {
    root: new Cgroup('/nowhere'),
    cgroupOf,
    ...{ admit: nothing, refuse: nothing, kill: nothing, explain: nothing, cpuWeightOf: () => undefined },
  };
  const driver = new PolicyDriver(parseConfig({ tenants: { t: {} } }), 2048 * MIB, new Set(['memory']), hands, (e) =>
    reported.push(e),
  );
  driver.send({ type: 'session-start', session: 's', tenant: 't', priority: 'normal' });
  driver.send({ type: 'call-start', call: 'c', session: 's' });
  /** A round of samples of a node that is short of memory, of which the call has 150 MiB in its cache. */
  const short = async () => {
    await vi.advanceTimersByTimeAsync(1500);
    driver.send({
      type: 'samples',
      node: { current: 2000 * MIB, inactiveFile: 150 * MIB },
      agents: [{ session: 's', current: 300 * MIB }],
      calls: [{ call: 'c', current: 1500 * MIB, inactiveFile: 150 * MIB }],
    });
    await vi.advanceTimersByTimeAsync(0);
  };
  return { driver, asked, short, cgroup: cgroupOf({ kind: 'call', call: 'c' }), reported };
}

test('a reclaim that outlasts the interval is not joined by another, and the next one comes when it is over', async () => {
  const { asked, short, reported } = begin();
  await short();
  await short();
  await short();
  expect(asked).toMatchObject([{ path: '/nowhere/call-c', bytes: 64 * MIB }]);
  asked[0]!.over();
  await short();
  expect(asked).toHaveLength(2);
  expect(reported).toEqual([]);
});

test('what a finished call has left is reclaimed after the one under way, and its end waits for both', async () => {
  const { driver, asked, short, cgroup } = begin();
  await short();
  let ended = false;
  const end = driver.callEnded('c', cgroup).then(() => {
    ended = true;
  });
  await vi.advanceTimersByTimeAsync(0);
  expect(asked).toHaveLength(1);
  asked[0]!.over();
  await vi.advanceTimersByTimeAsync(0);
  expect(asked).toMatchObject([{}, { path: '/nowhere/call-c', bytes: 40 * MIB }]);
  expect(ended).toBe(false);
  asked[1]!.over();
  await end;
});
