import fc from 'fast-check';
import { expect, test } from 'vitest';
import { directoryOf, mountOf, parseMountinfo, parseSelfCgroup } from '../../../src/control/cgroup/index.ts';

const hybrid = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
41 31 0:38 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
50 31 0:38 /docker/abc /mnt/a\\040b ro,relatime - cgroup2 cgroup2 rw
`;

test('cgroup2 mounts out of mountinfo', () => {
  expect(parseMountinfo(hybrid)).toEqual([
    {
      path: '/sys/fs/cgroup/unified',
      root: '/',
      readOnly: false,
      options: ['rw', 'nosuid', 'rw', 'nsdelegate', 'memory_recursiveprot'],
    },
    { path: '/mnt/a b', root: '/docker/abc', readOnly: true, options: ['ro', 'relatime', 'rw'] },
  ]);
  expect(parseMountinfo('')).toEqual([]);
});

test('parsing is total', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constantFrom(' - cgroup2 x rw', 'a b c d e f - cgroup2')), (text) => {
      expect(Array.isArray(parseMountinfo(text))).toBe(true);
      expect(['string', 'undefined']).toContain(typeof parseSelfCgroup(text));
    }),
  );
});

test('own cgroup and where it shows under a mount', () => {
  expect(parseSelfCgroup('5:devices:/x\n0::/user.slice/a.scope\n')).toBe('/user.slice/a.scope');
  expect(parseSelfCgroup('0::/gone (deleted)\n')).toBe('/gone');
  expect(parseSelfCgroup('5:devices:/x\n')).toBeUndefined();
  const [whole, part] = parseMountinfo(hybrid);
  expect(directoryOf('/', whole!)).toBe('/sys/fs/cgroup/unified');
  expect(directoryOf('/a/b', whole!)).toBe('/sys/fs/cgroup/unified/a/b');
  expect(directoryOf('/docker/abc/x', part!)).toBe('/mnt/a b/x');
  expect(directoryOf('/docker/abcd', part!)).toBeUndefined();
  expect(directoryOf('/../other', whole!)).toBeUndefined();
  expect(mountOf('/sys/fs/cgroup/unified/x', [whole!, part!])).toBe(whole);
  expect(mountOf('/sys/fs/cgroup/unifiedx', [whole!, part!])).toBeUndefined();
});
