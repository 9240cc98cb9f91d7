import { expect, test } from 'vitest';
import { kernelCapabilities, memcgOpsRow, programRows, schedExtRow } from '../../../src/control/kernel/capability.ts';

test('every row has its probe, a refusal its reason and its remedy', () => {
  const rows = programRows([
    { name: 'tracing', place: 'tp_btf/sched_process_exec', on: true },
    {
      name: 'memcg_kfuncs',
      place: 'tp_btf/cgroup_mkdir',
      on: false,
      why: "EINVAL: kfunc 'x' is referenced but wasn't resolved",
    },
  ]);
  const others = ['sched_ext operations', 'memcg_bpf_ops'];
  expect(rows.map((row) => row.name)).toEqual(kernelCapabilities.filter((name) => !others.includes(name)));
  expect(rows[0]).toEqual({ name: 'BPF', state: 'yes', detail: 'tp_btf/sched_process_exec' });
  expect(rows.find((row) => row.name === 'memcg kfuncs')).toMatchObject({
    state: 'no',
    detail: expect.stringMatching(/^memcg kfuncs missing \(needs Linux 7\.2\): EINVAL/),
    remedy: expect.stringContaining('7.2'),
  });
  expect(rows.find((row) => row.name === 'task work')?.state).toBe('unknown');
});

test('sched_ext counts only with the operation that keeps cpu.max', () => {
  expect(schedExtRow(false, ['enqueue'])).toMatchObject({ state: 'no' });
  expect(schedExtRow(true, ['enqueue'])).toMatchObject({ state: 'no', detail: expect.stringContaining('7.2') });
  expect(schedExtRow(true, ['enqueue', 'cgroup_set_bandwidth'])).toMatchObject({ state: 'yes' });
});

test('memcg_bpf_ops is told by its members', () => {
  expect(memcgOpsRow(undefined).state).toBe('no');
  expect(memcgOpsRow(['below_low', 'memcg_charged'])).toMatchObject({
    state: 'yes',
    detail: 'below_low, memcg_charged',
  });
});
