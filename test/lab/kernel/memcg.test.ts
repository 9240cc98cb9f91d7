import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { compileObject } from './compile.ts';
import { complaints } from './complaints.ts';
import { type Measured, measure } from './measured.ts';
import { built, debug, kernel, patience } from './patched.ts';

const repository = resolve(import.meta.dirname, '../../..');
/** A longer race than the usual three seconds. */
const race = process.env.AGENTCGROUP_RACE_SECONDS;
const checks = ['delays', 'bounded', 'beside', 'hierarchy', 'protection', 'outlives', 'removed', 'race'];

/** Late by a tick and what a timer wheel rounds up (an eighth), and by the emulated processor being busy. */
const slept = (ms: number, wanted: number) => {
  expect(ms).toBeGreaterThanOrEqual(wanted - 4);
  expect(ms).toBeLessThan(wanted * 1.125 + (debug ? 100 : 30));
};
/** No delay: a page fault on the emulated processor. */
const prompt = debug ? 40 : 8;

describe.skipIf(!built)(`memcg_bpf_ops on the ${kernel} kernel`, () => {
  let seen: Measured;
  beforeAll(async () => {
    seen = await measure('memcg', checks, {
      object: compileObject('memcg'),
      kernel,
      memoryBytes: 1.5 * 2 ** 30,
      timeoutMs: race ? 1_500_000 : 560_000,
      ...patience,
      env: {
        BIG_FILE: join(repository, 'node_modules/node/bin/node'),
        RACE_SECONDS: race ?? (debug ? '60' : '3'),
      },
    });
  }, 2_000_000);

  test('the kernel has nothing to complain about', () => {
    expect(complaints(seen.console)).toEqual([]);
  });

  test.runIf(debug)('it was looked at by lockdep and KASAN to the end', () => {
    expect(seen.console).toContain('Lock dependency validator');
    expect(seen.console).toContain('KernelAddressSanitizer initialized');
    expect(seen.first('watched').locks).toBe(1);
  });

  test.each([50, 200, 1000, 2000])('a delay of %i ms is slept, and counted as memory pressure', (wanted) => {
    const found = seen.all('delay').find((d) => d.wanted === wanted)!;
    slept(found.longest!, wanted);
    expect(found.delays).toBeGreaterThan(0);
    // PSI averages over the CPU's states, in its own time
    expect(found.stalled).toBeGreaterThan(0.8 * wanted);
  });

  test('up to a hundredth of a second is not slept; more than two seconds never', () => {
    expect(seen.first('short').longest).toBeLessThan(prompt);
    slept(seen.first('clamped').longest!, 2000);
    expect(seen.first('detached').before).toBeLessThan(prompt);
    expect(seen.first('detached').after).toBeLessThan(prompt);
  });

  test('SIGKILL ends a delay, freezing waits for it, and a limit with oom.group kills the whole call', () => {
    const { killed, froze, oom, by, group } = seen.first('bounded');
    expect(killed).toBeLessThan(debug ? 500 : 100);
    expect(froze).toBeLessThan(2400);
    expect(oom).toBeLessThan(debug ? 10_000 : 4000);
    expect({ by, group }).toEqual({ by: 9, group: 1 });
  });

  test("with memory.high's penalty the longer of the two is slept; memory.low changes nothing", () => {
    const { alone, both, below } = seen.first('beside');
    expect(alone).toBeGreaterThan(20);
    expect(both).toBeGreaterThan(1890);
    expect(both).toBeLessThan(2400);
    slept(below!, 100);
  });

  test('an attachment needs a cgroup that has the memory controller, and no flag it does not know', () => {
    expect(seen.first('refused')).toEqual({ plain: -22, unknown: -22, nowhere: -19 });
  });

  test('it covers what is made later, and nothing else; one at a place, none below or above another', () => {
    const { busy, below, above, online, offline, covered, late, outside } = seen.first('covers');
    expect({ busy, below, above, online, offline }).toEqual({
      busy: -16,
      below: -16,
      above: -16,
      online: 1,
      offline: 1,
    });
    slept(covered!, 60);
    slept(late!, 60);
    expect(outside).toBeLessThan(prompt);
  });

  test('where it allows that, a descendant has its own; detached, what is above holds again', () => {
    const { inner, again, overridden, inherited, restored, gone } = seen.first('overrides');
    expect({ inner, again }).toEqual({ inner: 1, again: -16 });
    slept(overridden!, 300);
    slept(inherited!, 300);
    slept(restored!, 60);
    expect(gone).toBeLessThan(prompt);
    slept(seen.first('outer').kept!, 300);
    expect(seen.first('outer').gone).toBeLessThan(prompt);
  });

  test('a protected cgroup keeps its pages while its neighbour is reclaimed', () => {
    const [none, low, both, min] = seen.all('protection') as unknown as [Kept, Kept, Kept, Kept];
    for (const had of [none, low, both, min]) {
      expect(had.had_a).toBeGreaterThan(20);
      expect(had.had_b).toBeGreaterThan(20);
    }
    expect(none).toMatchObject({ error: 0 });
    expect(none.lost_a + none.lost_b).toBeGreaterThan(19);
    expect(none.lost_a).toBeGreaterThan(3);
    expect(low.lost_a).toBeLessThan(1);
    expect(low.lost_b).toBeGreaterThan(19);
    // when all is protected, low is broken and min is not
    expect(both.lost_a + both.lost_b).toBeGreaterThan(19);
    expect(min.lost_a + min.lost_b).toBeLessThan(1);
    expect(min.error).toBe(-11);
  });

  test('pinned, it outlives who attached it', () => {
    slept(seen.first('outlives').pinned!, 80);
    expect(seen.first('outlives').after).toBeLessThan(prompt);
  });

  test('with its cgroup an attachment ends; the next cgroup of that name takes another one', () => {
    const { offline, fresh, again, attached, still } = seen.first('removed');
    expect({ offline, again }).toEqual({ offline: 1, again: 1 });
    expect(fresh).toBeLessThan(prompt);
    slept(attached!, 70);
    slept(still!, 70);
  });

  test('attaching, detaching and removing cgroups while they grow: all of it happens, nothing is left', () => {
    const { seconds, attached, refusals, made } = seen.first('race') as Record<string, number>;
    expect(attached).toBeGreaterThan(seconds!);
    expect(refusals).toBeGreaterThan(0);
    expect(made).toBeGreaterThan(seconds!);
  });
});

interface Kept {
  had_a: number;
  had_b: number;
  lost_a: number;
  lost_b: number;
  error: number;
}
