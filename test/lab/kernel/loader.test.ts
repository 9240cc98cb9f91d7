import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileObject } from './compile.ts';
import { kernel, report } from './guest.ts';

const enabled = { state: 'enabled', ops: 'acg_test' };
const disabled = { state: 'disabled', ops: null };

describe(`struct_ops on the ${kernel} kernel`, () => {
  // biome-ignore lint/suspicious/noExplicitAny: the guest's own report, taken apart below
  let r: Record<string, any>;
  let object: string;
  beforeAll(async () => {
    object = compileObject('ops');
    r = await report('loader', { env: { AGENTCGROUP_TEST_OBJECT: object } });
  }, 580_000);
  afterAll(() => {
    if (object) rmSync(object);
  });

  test('loaded now, attached later', () => {
    expect(r.later.hooks).toContainEqual({ name: 'test_ops', place: 'struct_ops', on: false, why: 'not attached yet' });
    expect(r.later).toMatchObject({ on: false, scheduler: disabled });
    expect(r.notReopened).toBe(false);
    expect(r.attached).toEqual({ on: true, scheduler: enabled });
  });

  test('a machine has one scheduler: the second is told so, and nothing of it stays', () => {
    expect(r.busy).toMatchObject({ code: 'ACG_BPF_LOAD', message: expect.stringContaining('EBUSY') });
    expect(r.busyLeft?.loaded ?? []).toEqual([]);
  });

  test('detached and attached again, without loading again', () => {
    expect(r.detached).toMatchObject({ on: false, hook: { on: false, why: 'detached' }, scheduler: disabled });
    expect(r.again).toEqual({ on: true, scheduler: enabled });
    expect(r.extended).toEqual({ status: 0, stderr: '' });
    expect(r.ran).toBeGreaterThan(0);
  });

  test('status counts its members as attached', () => {
    expect(r.status).toHaveLength(1);
    expect(r.status[0].programs).toEqual([expect.objectContaining({ name: 'test_running', attached: true })]);
    expect(r.status[0].links).toEqual(['test_ops']);
  });

  test('it outlives the process, the next one finds it and can re-arm it', () => {
    expect(r.outlives).toEqual(enabled);
    expect(r.reopened).toEqual({ reopened: true, on: true });
    expect(r.rearmed).toEqual(enabled);
  });

  test('unloaded, the kernel is as it was', () => {
    expect(r.unloaded).toEqual({ held: 0, scheduler: disabled });
    expect(r.unpinned).toEqual(enabled);
    expect(r.end).toEqual(disabled);
  });
});
