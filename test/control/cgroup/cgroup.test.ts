import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { whyNotOffered } from '../../../src/control/cgroup/controllers.ts';
import { Cgroup, enableControllers, locateRoot, openRoot } from '../../../src/control/cgroup/index.ts';
import { scopeRequest } from '../../../src/control/cgroup/systemd.ts';
import { fixtureTree, mountedAt } from './fixture.ts';

test('reads are typed, and undefined without the file', () => {
  const cgroup = new Cgroup(fixtureTree({ 'memory.max': 'max\n', 'memory.current': '4096\n', 'pids.peak': '7\n' }));
  expect(cgroup.read('memory.max')).toBe('max');
  expect(cgroup.read('memory.current')).toBe(4096);
  expect(cgroup.read('pids.peak')).toBe(7);
  expect(cgroup.read('memory.peak')).toBeUndefined();
});

test('a file of another form is an error that names it', () => {
  const cgroup = new Cgroup(fixtureTree({ 'memory.current': 'lots\n' }));
  expect(() => cgroup.read('memory.current')).toThrow(`${cgroup.path}/memory.current says "lots\\n"`);
});

test('writes format their values', async () => {
  const written = {
    'memory.max': '',
    'memory.high': '',
    'memory.oom.group': '',
    'cpu.max': '',
    'cgroup.subtree_control': '',
    'cgroup.kill': '',
    'io.weight': '',
    'memory.reclaim': '',
  };
  const cgroup = new Cgroup(fixtureTree(written));
  const text = (file: string) => readFileSync(join(cgroup.path, file), 'utf8');
  cgroup.write('memory.max', 'max');
  await cgroup.writeSlowly('memory.high', 2 ** 30);
  cgroup.write('memory.oom.group', true);
  cgroup.write('cpu.max', { quotaUsec: 50_000, periodUsec: 100_000 });
  cgroup.write('cgroup.subtree_control', ['+memory', '-io']);
  cgroup.write('io.weight', 50);
  cgroup.kill();
  expect(await cgroup.reclaim(1.5e6 + 0.7)).toBe('whole');
  expect(Object.keys(written).map(text)).toEqual([
    'max',
    '1073741824',
    '1',
    '50000 100000',
    '+memory -io',
    '1',
    'default 50',
    '1500000',
  ]);
});

test('a write without its file says whether the controller or the kernel lacks it', async () => {
  const cgroup = new Cgroup(fixtureTree({ 'cgroup.controllers': 'cpu\n' }));
  expect(cgroup.write('cpu.idle', true)).toEqual({
    enforced: false,
    file: 'cpu.idle',
    why: 'this kernel has no cpu.idle',
  });
  expect(cgroup.write('pids.max', 5)).toMatchObject({
    enforced: false,
    why: expect.stringContaining('pids controller'),
  });
  expect(await cgroup.writeSlowly('memory.max', 5)).toMatchObject({ enforced: false });
  expect(await cgroup.reclaim(5)).toBe('unsupported');
  const gone = cgroup.child('gone');
  expect(() => gone.write('pids.max', 5)).toThrow(expect.objectContaining({ gone: true, errno: 'ENOENT' }));
  expect(await gone.reclaim(5)).toBe('gone');
});

test('without cgroup.kill the subtree is frozen and every process killed by itself', async () => {
  const children = [spawn('sleep', ['60']), spawn('sleep', ['60'])];
  onTestFinished(() => {
    for (const child of children) child.kill('SIGKILL');
  });
  const cgroup = new Cgroup(
    fixtureTree({
      'cgroup.freeze': '',
      'cgroup.procs': `${children[0]!.pid}\n`,
      'below/cgroup.procs': `${children[1]!.pid}\n`,
    }),
  );
  const exits = Promise.all(children.map((child) => once(child, 'exit')));
  cgroup.kill();
  expect((await exits).map(([, signal]) => signal)).toEqual(['SIGKILL', 'SIGKILL']);
  expect(readFileSync(join(cgroup.path, 'cgroup.freeze'), 'utf8')).toBe('1');
  // the processes are long gone: no error
  cgroup.kill();
});

test('controllers are enabled from the top down, each on its own', () => {
  const files: Record<string, string> = {};
  for (const path of ['', 'a/', 'a/b/']) {
    files[`${path}cgroup.controllers`] = 'cpu memory pids\n';
    files[`${path}cgroup.subtree_control`] = '';
  }
  files['cgroup.subtree_control'] = 'memory\n';
  const top = new Cgroup(fixtureTree(files));
  const to = new Cgroup(join(top.path, 'a/b'));
  expect(enableControllers(top, to, ['memory', 'io'])).toEqual({
    enabled: ['memory'],
    missing: [{ controller: 'io', why: expect.any(String) }],
  });
  expect(readFileSync(join(top.path, 'cgroup.subtree_control'), 'utf8')).toBe('memory\n');
  expect(readFileSync(join(top.path, 'a/cgroup.subtree_control'), 'utf8')).toBe('+memory');
  expect(readFileSync(join(top.path, 'a/b/cgroup.subtree_control'), 'utf8')).toBe('+memory');
  expect(() => enableControllers(to, top)).toThrow(/not below/);
});

test('why a controller is not offered', () => {
  const cgroup = new Cgroup('/x');
  const rows = '#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t4\t14\t1\nblkio\t0\t1\t0\ncpu\t0\t1\t1\n';
  expect(whyNotOffered('memory', cgroup, rows).why).toMatch(/bound to a cgroup v1 hierarchy/);
  expect(whyNotOffered('io', cgroup, rows).remedy).toMatch(/without cgroup_disable=blkio/);
  expect(whyNotOffered('cpu', cgroup, rows).why).toMatch(/not offered in \/x/);
  expect(whyNotOffered('pids', cgroup, rows).why).toMatch(/not offered in \/x/);
});

test('the root on a fixture mount: given, or of our own name', async () => {
  const mount = fixtureTree({ 'cgroup.controllers': '', 'cgroup.subtree_control': '' });
  const mountinfo = mountedAt(mount);
  const given = await openRoot({ cgroupRoot: join(mount, 'x/y'), mountinfo });
  expect(given).toMatchObject({ origin: 'given', enabled: [], cgroup: { path: join(mount, 'x/y') } });
  expect(given.cgroup.exists()).toBe(true);
  expect(given.missing.map((m) => m.controller)).toEqual(['memory', 'pids', 'cpu', 'io']);
  expect(locateRoot({ mountinfo })).toMatchObject({
    origin: 'cgroup2 mount',
    cgroup: { path: join(mount, 'agentcgroup.slice') },
  });
  expect(locateRoot({ mountinfo, name: 'other' }).cgroup.name).toBe('other');
});

test('no usable hierarchy', () => {
  const none = expect.objectContaining({ code: 'ACG_NO_CGROUP2' });
  expect(() => locateRoot({ mountinfo: '' })).toThrow(none);
  expect(() => locateRoot({ mountinfo: '41 31 0:38 / /x ro - cgroup2 cgroup2 rw\n' })).toThrow(/read-only/);
  expect(() => locateRoot({ cgroupRoot: '/proc/x', mountinfo: mountedAt('/sys/fs/cgroup') })).toThrow(none);
});

test('the request to systemd is a delegated scope with our process in it', () => {
  const argv = scopeRequest('agentcgroup.slice', 42);
  const signature = argv.indexOf('ssa(sv)a(sa(sv))');
  expect(argv.slice(signature + 1, signature + 4)).toEqual(['agentcgroup.scope', 'fail', '5']);
  expect(argv.join(' ')).toContain('Delegate b true');
  expect(argv.join(' ')).toContain('PIDs au 1 42');
  expect(argv.at(-1)).toBe('0');
});
