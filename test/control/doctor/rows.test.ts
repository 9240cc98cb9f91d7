import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { btfRows, privilegeRows, schedExtRow } from '../../../src/control/doctor/kernel.ts';
import { hugePagesRow, labRows, ownRows, swapRow } from '../../../src/control/doctor/machine.ts';
import { fixtureTree } from '../cgroup/fixture.ts';

test('privileges from CapEff', () => {
  const states = (text: string) => Object.fromEntries(privilegeRows(text).map((row) => [row.name, row.state]));
  expect(states('Name:\tx\nCapEff:\t000001fffeffffff\n')).toEqual({
    CAP_SYS_ADMIN: 'yes',
    CAP_SYS_RESOURCE: 'no',
    CAP_PERFMON: 'yes',
    CAP_BPF: 'yes',
  });
  expect(Object.values(states('CapEff:\t0000000000000000\n'))).toEqual(['no', 'no', 'no', 'no']);
  expect(Object.values(states(''))).toEqual(['unknown', 'unknown', 'unknown', 'unknown']);
});

test('sched_ext: absent, free, ours, taken', () => {
  expect(schedExtRow(undefined, undefined)).toMatchObject({ state: 'no', remedy: expect.stringContaining('kernel') });
  expect(schedExtRow('disabled', undefined).state).toBe('yes');
  expect(schedExtRow('enabled', 'agentcgroup_1').state).toBe('yes');
  expect(schedExtRow('enabled', 'rusty')).toMatchObject({ state: 'no', detail: expect.stringContaining('rusty') });
});

test('BTF: absent is a no, unreadable a could-not-tell', () => {
  const states = (blob?: Buffer) => btfRows(blob).map((row) => row.state);
  expect(states(undefined)).toEqual(['no', 'unknown', 'unknown']);
  expect(states(Buffer.alloc(100))).toEqual(['unknown', 'unknown', 'unknown']);
});

test('swap and huge pages', () => {
  const head = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';
  expect(swapRow(head).state).toBe('no');
  expect(swapRow(`${head}/dev/zram0   partition\t2097152\t0\t-2\n`)).toMatchObject({
    state: 'yes',
    detail: '/dev/zram0 2048 MiB',
  });
  expect(hugePagesRow('always [madvise] never')).toMatchObject({ state: 'yes', detail: 'madvise' });
  expect(hugePagesRow('[always] madvise never').detail).toContain('2 MiB');
  expect(hugePagesRow('always madvise [never]').state).toBe('no');
  expect(hugePagesRow('what').state).toBe('unknown');
  expect(hugePagesRow(undefined).state).toBe('no');
});

test('lab programs are looked up in PATH', () => {
  const [, qemu] = labRows('/nowhere');
  expect(qemu).toMatchObject({ state: 'no', detail: expect.stringContaining('/nowhere') });
});

test('the daemon row connects', async () => {
  const folder = fixtureTree({ 'a file': '' });
  const path = `${folder}/socket`;
  const daemon = async () => (await ownRows(path))[1]!;
  expect(await daemon()).toMatchObject({ name: 'daemon running', state: 'no' });
  const server = createServer().listen(path);
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  expect(await daemon()).toMatchObject({ state: 'yes', detail: path });
  expect((await ownRows(`${folder}/a file`))[1]!.state).toBe('no');
  expect((await ownRows(path, '20.19.0'))[0]).toMatchObject({ name: 'Node.js', state: 'no' });
});
