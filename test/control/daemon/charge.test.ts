import { expect, test } from 'vitest';
import { Charge } from '../../../src/control/daemon/kernel-tier/charge.ts';
import type { SchedulerExit } from '../../../src/control/kernel/index.ts';
import { AcgError } from '../../../src/model/index.ts';

const stalled: SchedulerExit = {
  exitedNs: 1,
  error: true,
  reason: 'runnable task stall',
  message: 'sh[1] failed to run',
};

function setUp() {
  const said: number[] = [];
  const say = (words: object | string) => {
    if (typeof words === 'object' && 'rearmInMs' in words) said.push(words.rearmInMs as number);
  };
  const charge = new Charge({ info: say, warn: say, error: say } as ConstructorParameters<typeof Charge>[0]);
  const scheduler = {
    out: undefined as SchedulerExit | undefined,
    exit: () => scheduler.out,
    taken: false,
    rearm: () => {
      if (scheduler.taken) throw new AcgError('ACG_BPF_LOAD', 'acg_partial: EBUSY');
      scheduler.out = undefined;
    },
  };
  let now = 0;
  const throwOut = () => {
    scheduler.out = { ...stalled, exitedNs: now + 1 };
  };
  /** Thrown out; looked at every 250 ms until it is in charge again. For how long it was not, milliseconds. */
  const through = () => {
    throwOut();
    const from = now;
    do {
      if (charge.watch(scheduler, now)) charge.read(scheduler, now);
      now += 250;
    } while (!charge.health(now).inCharge);
    return now - from - 250;
  };
  const pass = (ms: number) => {
    now += ms;
    charge.watch(scheduler, now);
  };
  charge.read(scheduler, now);
  return { charge, scheduler, said, throwOut, through, pass };
}

test('thrown out again and again, the scheduler stays out twice as long each time, five minutes at most', () => {
  const { charge, said, through } = setUp();
  const out = Array.from({ length: 11 }, through);
  expect(out).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]);
  expect(said).toEqual(out);
  expect(charge.health()).toMatchObject({ inCharge: true, exits: 11, exit: { reason: 'runnable task stall' } });
});

test('in charge for ten minutes, what was before is forgotten', () => {
  const { through, pass } = setUp();
  expect([through(), through()]).toEqual([1000, 2000]);
  pass(590_000);
  expect(through()).toBe(4000);
  pass(601_000);
  expect(through()).toBe(1000);
});

test('while another scheduler has the machine it is out once, and no longer than for that', () => {
  const { charge, scheduler, said, throwOut, through, pass } = setUp();
  scheduler.taken = true;
  throwOut();
  for (let i = 0; i <= 120; i++) pass(250);
  expect(said).toEqual([1000]);
  expect(charge.health()).toMatchObject({ inCharge: true, exits: 1 });
  expect(charge.note()).toMatch(/it cannot be put in charge again yet: .*EBUSY/);
  scheduler.taken = false;
  pass(1000);
  expect(charge.note()).toBeUndefined();
  expect(scheduler.exit()).toBeUndefined();
  expect(through()).toBe(2000);
  expect(charge.health()).toMatchObject({ exits: 2 });
});

test('while it is out, that is said; taken out on purpose it does not come back', () => {
  const { charge, scheduler, pass } = setUp();
  expect(charge.note()).toBeUndefined();
  scheduler.out = stalled;
  pass(0);
  expect(charge.note()).toBe('the scheduler is out: runnable task stall (sh[1] failed to run)');
  expect(charge.health(0).rearmAt).toBeGreaterThan(Date.now());
  charge.drop();
  expect(charge.note()).toBeUndefined();
  expect(charge.health()).toMatchObject({ exits: 1 });
  expect(charge.health().rearmAt).toBeUndefined();
});
