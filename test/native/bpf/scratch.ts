import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { bpf } from '../../../src/control/kernel/addon.ts';
import { type KernelEvent, type Monitor, probeKernel } from '../../../src/control/kernel/index.ts';

export const repository = resolve(import.meta.dirname, '../../..');

/** Why this machine cannot run these tests, to be said when they are skipped; undefined: it can. */
export function unable(): string | undefined {
  const row = probeKernel().find((r) => r.name === 'BPF')!;
  return row.state === 'yes' ? undefined : `BPF: ${row.state}: ${row.detail}`;
}

/** A BPF file system of the test's own; removed by `remove`. */
export function scratchBpffs(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'acg-bpffs-'));
  bpf().mountBpffs(path);
  return {
    path,
    remove() {
      spawnSync('umount', [path]);
      rmdirSync(path);
    },
  };
}

/** The machine's cgroup2 mount, whatever else is mounted beside it. */
function cgroup2(): string {
  const line = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((l) => l.split(' ')[2] === 'cgroup2');
  if (!line) throw new Error('no cgroup2 mount');
  return line.split(' ')[1]!;
}

const inode = (path: string) => statSync(path).ino;

/** A tree of ours in the machine's cgroup2 mount: one tenant, one session, an agent leaf, tool calls. */
export function scratchTree(): {
  root: string;
  agent: string;
  call: string;
  ids: { root: number; tenant: number; session: number; agent: number; call: number };
  make: (...names: string[]) => string;
  remove: () => void;
} {
  const root = join(cgroup2(), `acg-bpf-test-${process.pid}-${Math.random().toString(36).slice(2, 8)}`);
  const session = join(root, 'tenant-t/session-s');
  const make = (...names: string[]) => {
    const path = join(root, ...names);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const agent = make('tenant-t/session-s/agent');
  const call = make('tenant-t/session-s/tool-1');
  return {
    root,
    agent,
    call,
    ids: {
      root: inode(root),
      tenant: inode(join(root, 'tenant-t')),
      session: inode(session),
      agent: inode(agent),
      call: inode(call),
    },
    make,
    remove() {
      if (!existsSync(root)) return;
      const folders = readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name));
      for (const folder of folders.sort((a, b) => b.length - a.length)) rmdirSync(folder);
      rmdirSync(root);
    },
  };
}

/** Runs a shell script that begins inside the cgroup; its exit code and signal. */
export function runIn(
  cgroup: string,
  script: string,
  env: Record<string, string> = {},
): { status: number | null; signal: string | null } {
  const enter = `echo $$ > "$CGROUP/cgroup.procs" || exit 99\n${script}`;
  const { status, signal } = spawnSync('/bin/sh', ['-c', enter], {
    env: { PATH: '/usr/bin:/bin', CGROUP: cgroup, ...env },
    timeout: 30_000,
  });
  return { status, signal };
}

/** Collects events; `wait` resolves with the first that fits, past or to come, and rejects after 10 s. */
export function collect(monitor: Monitor) {
  const seen: KernelEvent[] = [];
  const waiting = new Set<() => void>();
  const stream = monitor.events((event) => {
    seen.push(event);
    for (const look of waiting) look();
  });
  const wait = (fits: (event: KernelEvent) => boolean) =>
    new Promise<KernelEvent>((found, failed) => {
      const look = () => {
        const event = seen.find(fits);
        if (!event) return;
        end();
        found(event);
      };
      const timer = setTimeout(() => {
        end();
        failed(new Error(`not among ${seen.length} events: ${seen.map((e) => e.type).join(' ')}`));
      }, 10_000);
      const end = () => {
        clearTimeout(timer);
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  return { seen, wait, stream };
}

/** Compiles a fixture as the product's own programs are compiled. */
export function compileFixture(name: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'acg-bpf-object-'));
  const out = join(folder, `${name}.bpf.o`);
  const source = join(import.meta.dirname, 'fixtures', `${name}.bpf.c`);
  const { status, stderr } = spawnSync(process.execPath, ['scripts/build-bpf.js', '--object', source, out], {
    cwd: repository,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  const object = readFileSync(out);
  rmSync(folder, { recursive: true });
  return object;
}
