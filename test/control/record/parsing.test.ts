import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { CgroupReader, ioTotalV1 } from '../../../src/control/record/cgroup-reader.ts';
import {
  below,
  type Directories,
  directoriesAt,
  directoriesOf,
  mainDirectory,
  parseHierarchies,
} from '../../../src/control/record/hierarchy.ts';
import { field, KeptFile } from '../../../src/control/record/kept-file.ts';
import { parseSmapsRollup, parseStat } from '../../../src/control/record/processes.ts';
import { scriptOf } from '../../../src/control/record/shells.ts';

function files(tree: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'acg-record-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(tree)) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

test('a number of a flat keyed file, wherever it stands; a longer or shorter key is another', () => {
  const text = 'anon 1\nanon_thp 22\nfile 333\nkernel_stack 4\n';
  expect(field(text, 'anon')).toBe(1);
  expect(field(text, 'file')).toBe(333);
  expect(field(text, 'anon_thp')).toBe(22);
  expect(field(text, 'kernel')).toBeUndefined();
  expect(field('', 'anon')).toBeUndefined();
});

test('a process: the name may hold anything', () => {
  const rest = `S 7 7 7 0 -1 4194560 1 0 0 0 11 22 33 44 20 0 5 0 987 ${2 ** 30} 100 ${'0 '.repeat(28)}`;
  expect(parseStat(`42 (a) (b c)) ${rest}`)).toEqual({
    comm: 'a) (b c)',
    state: 'S',
    ppid: 7,
    sessionId: 7,
    userUsec: 440_000,
    systemUsec: 660_000,
    threads: 5,
    startTicks: 987,
    rssBytes: 409_600,
  });
  fc.assert(fc.property(fc.string(), (text) => void parseStat(text)));
});

test('the weighed memory of a process, terabytes included', () => {
  const text = `5582d7c6e000-7ffc7f1fe000 ---p 00000000 00:00 0 [rollup]
Rss:                1500 kB
Pss:            2147483648 kB
Pss_Dirty:           900 kB
Pss_Anon:            700 kB
Pss_File:            300 kB
Swap:                 40 kB
SwapPss:              30 kB
`;
  expect(parseSmapsRollup(text)).toEqual({
    memory: 2 ** 41,
    anon: 700 * 1024,
    file: 2 ** 41 - 700 * 1024,
    swap: 30 * 1024,
  });
});

test.each([
  [['/bin/bash', '-c', 'make'], 'make'],
  [['bash', '-lc', 'ls | wc'], 'ls | wc'],
  [['-zsh', '-ic', 'x'], 'x'],
  [['bash'], undefined],
  [['bash', 'script.sh', '-c'], undefined],
  [['python3', '-c', 'print()'], undefined],
  [
    [
      '/bin/bash',
      '-c',
      `source /h/snap.sh 2>/dev/null || true && eval 'echo '"'"'hi'"'"' there' \\< /dev/null && pwd -P >| /tmp/cwd`,
    ],
    "echo 'hi' there",
  ],
  [['bash', '-c', 'shopt -u promptvars; ( trap "x" EXIT; npm test ); exit $__code'], 'npm test'],
])('the script of %j', (argv, script) => {
  expect(scriptOf(argv)).toBe(script);
});

const mountinfo = `
25 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw
26 25 0:23 / V2 rw,nosuid shared:4 - cgroup2 cgroup2 rw
27 25 0:24 / MEM rw - cgroup cgroup rw,memory
28 25 0:25 /outer CPU rw - cgroup cgroup rw,cpu,cpuacct
`;

test('a host that mixes v1 and v2: each controller has its own place', () => {
  const root = files({ 'v2/a/cpu.stat': '', 'mem/a/memory.stat': '', 'mem/a/in/memory.stat': '', 'cpu/a/x': '' });
  const at = (name: string) => join(root, name);
  const h = parseHierarchies(mountinfo.replace('V2', at('v2')).replace('MEM', at('mem')).replace('CPU', at('cpu')));
  const of = directoriesOf('4:memory:/a\n2:cpu,cpuacct:/outer/a\n1:name=systemd:/z\n0::/a\n', h);
  expect(of).toEqual({ v2: at('v2/a'), v1: { memory: at('mem/a'), cpuacct: at('cpu/a') } });
  // the root of a hierarchy is the machine, not this process
  expect(directoriesOf('4:memory:/\n2:cpu,cpuacct:/outer\n0::/\n', h)).toEqual({ v1: {} });
  expect(directoriesAt(at('mem/a'), h)).toEqual(of);
  expect(directoriesAt('/somewhere', h)).toBeUndefined();
  expect(below(of, 'in')).toEqual({ v1: { memory: at('mem/a/in') } });
  // memory decides where the cgroup is looked for
  expect(mainDirectory(of)).toBe(at('mem/a'));
  writeFileSync(at('v2/a/memory.current'), '1');
  expect(mainDirectory(of)).toBe(at('v2/a'));
});

const v2 = {
  'memory.current': '5000000\n',
  'memory.stat': 'anon 3000000\nfile 1500000\nkernel 400000\nshmem 1\n',
  'memory.swap.current': '7\n',
  'memory.peak': '9000000\n',
  'cpu.stat': 'usage_usec 1234\nuser_usec 1000\nsystem_usec 234\n',
  'io.stat':
    '8:0 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2 rios=1 wios=1 dbytes=0 dios=0\n',
  'pids.current': '3\n',
  'memory.pressure':
    'some avg10=0.00 avg60=0.00 avg300=0.00 total=11\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n',
  'cpu.pressure': 'some avg10=0.00 avg60=0.00 avg300=0.00 total=12\n',
};

test('cgroup v2: figures at every look, the dearer ones when something has moved', () => {
  const root = files(v2);
  const reader = new CgroupReader({ v2: root, v1: {} });
  onTestFinished(() => reader.close());
  expect(reader.read(0)).toEqual({
    memoryBytes: 5_000_000,
    anonBytes: 3_000_000,
    fileBytes: 1_500_000,
    kernelBytes: 400_000,
    swapBytes: 7,
    cpuUsec: 1234,
    ioReadBytes: 101,
    ioWriteBytes: 202,
    pids: 3,
    memorySomeUsec: 11,
    memoryFullUsec: 5,
    cpuSomeUsec: 12,
  });
  expect(reader.highestBytes).toBe(9_000_000);
  const quick = { memoryBytes: 5_000_000, cpuUsec: 1234, pids: 3 };
  expect(reader.read(100)).toEqual(quick);
  // nothing has moved: not even after a second, only after ten
  expect(reader.read(1000)).toEqual(quick);
  expect(reader.read(10_000)).toHaveProperty('memorySomeUsec');
  writeFileSync(join(root, 'cpu.stat'), 'usage_usec 2000\n');
  expect(reader.read(10_500)).not.toHaveProperty('memorySomeUsec');
  expect(reader.read(11_000)).toHaveProperty('memorySomeUsec');
  writeFileSync(join(root, 'memory.current'), '6500000\n');
  // nothing has run since: the file is not even looked at; what has run shows at once
  expect(reader.read(11_100)).toMatchObject({ memoryBytes: 5_000_000 });
  writeFileSync(join(root, 'cpu.stat'), 'usage_usec 2001\n');
  expect(reader.read(11_200)).toMatchObject({ memoryBytes: 6_500_000, anonBytes: 3_000_000 });
});

test('cgroup v1: the same figures from other files', () => {
  const root = files({
    'm/memory.usage_in_bytes': '5000000\n',
    'm/memory.stat': 'cache 1\nrss 2\ntotal_cache 1500000\ntotal_rss 3000000\ntotal_swap 7\n',
    'm/memory.kmem.usage_in_bytes': '400000\n',
    'm/memory.max_usage_in_bytes': '9000000\n',
    'c/cpuacct.usage': '1234567\n',
    'b/blkio.throttle.io_service_bytes_recursive': '8:0 Read 100\n8:0 Write 200\n8:0 Total 300\nTotal 300\n',
    'p/pids.current': '3\n',
  });
  const d: Directories = {
    v1: { memory: join(root, 'm'), cpuacct: join(root, 'c'), blkio: join(root, 'b'), pids: join(root, 'p') },
  };
  const reader = new CgroupReader(d);
  onTestFinished(() => reader.close());
  expect(reader.read(0)).toEqual({
    memoryBytes: 5_000_000,
    anonBytes: 3_000_000,
    fileBytes: 1_500_000,
    kernelBytes: 400_000,
    swapBytes: 7,
    cpuUsec: 1234,
    ioReadBytes: 100,
    ioWriteBytes: 200,
    pids: 3,
  });
  expect(reader.highestBytes).toBe(9_000_000);
});

test('v1 I/O: devices are added up, totals are not', () => {
  expect(ioTotalV1('8:0 Read 1\n8:0 Write 2\n8:16 Read 10\n8:16 Sync 5\nTotal 18\n')).toEqual({ read: 11, write: 2 });
});

test('a file that is not there is no file; one that is read twice is read from its start', () => {
  const root = files({ a: '12\n' });
  expect(KeptFile.open(join(root, 'b'))).toBeUndefined();
  const file = KeptFile.open(join(root, 'a'))!;
  expect([file.number(), file.number(), file.number(1), file.number(2)]).toEqual([12, 12, 2, undefined]);
  expect(file.text()).toBe('12\n');
  file.close();
  expect(file.text()).toBeUndefined();
});
