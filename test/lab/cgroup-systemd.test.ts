import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { runInLab } from '../../src/lab/index.ts';

const fixture = (name: string) => resolve(import.meta.dirname, 'fixtures', name);
const able = existsSync('/lib/systemd/systemd') && existsSync('/usr/bin/dbus-daemon');
if (!able) process.stderr.write('skipped: systemd and dbus are not installed here\n');

test.skipIf(!able)(
  'under systemd the root is a delegated scope, and the next daemon finds it again',
  async () => {
    const argv = ['sh', fixture('systemd-container.sh'), process.execPath, fixture('systemd-root.ts')];
    const guest = await runInLab({ argv, timeoutMs: 480_000 });
    expect(guest.exitCode, guest.stderr.toString()).toBe(0);
    const path = '/sys/fs/cgroup/agentcgroup.slice/agentcgroup.scope';
    const report = JSON.parse(guest.stdout.toString());
    expect(report).toEqual({
      located: { origin: 'systemd scope', path },
      first: { origin: 'systemd scope', path, enabled: ['memory', 'pids', 'cpu', 'io'], missing: [] },
      self: '/agentcgroup.slice/agentcgroup.scope/daemon',
      again: { origin: 'delegated service', path, missing: [] },
      limit: { enforced: true },
      ends: expect.arrayContaining(['daemon', 'tenant-a']),
    });
  },
  560_000,
);
