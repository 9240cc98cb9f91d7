import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bits64, type EventStream, id, MapView, Monitor, struct, u32 } from '../../../src/control/kernel/index.ts';
import { AcgCgroup } from '../../../src/control/kernel/wire.ts';
import { collect, repository, runIn, scratchTree, unable } from './scratch.ts';

const why = unable();

describe.skipIf(why)(`the monitor on this machine's own kernel${why ? ` (skipped: ${why})` : ''}`, () => {
  let monitor: Monitor;
  let tree: ReturnType<typeof scratchTree>;
  let events: ReturnType<typeof collect>;
  beforeAll(() => {
    monitor = new Monitor({ pinRoot: false });
  });
  afterAll(() => monitor?.unload());
  beforeEach(() => {
    tree = scratchTree();
    monitor.watch(tree.root);
    events = collect(monitor);
  });
  afterEach(() => {
    events.stream[Symbol.dispose]();
    tree.remove();
  });

  test('what existed before is placed in the tree, parents first', () => {
    const { tenant, session, agent, call, root } = tree.ids;
    const level = monitor.place(root)!.level;
    expect(monitor.place(root)).toEqual({ kind: 'root', tenant: 0, session: 0, leaf: 0, level });
    expect(monitor.place(tenant)).toEqual({ kind: 'tenant', tenant, session: 0, leaf: 0, level: level + 1 });
    expect(monitor.place(session)).toEqual({ kind: 'session', tenant, session, leaf: 0, level: level + 2 });
    expect(monitor.place(agent)).toEqual({ kind: 'agent', tenant, session, leaf: agent, level: level + 3 });
    expect(monitor.place(call)).toEqual({ kind: 'call', tenant, session, leaf: call, level: level + 3 });
  });

  test('what is made later is known at once, nested cgroups belong to their call, strangers to nobody', () => {
    const nested = statSync(tree.make('tenant-t/session-s/tool-1/inner')).ino;
    const second = statSync(tree.make('tenant-t/session-s/tool-2')).ino;
    const stranger = statSync(tree.make('tenant-t/session-s/other')).ino;
    const misplaced = statSync(tree.make('session-x')).ino;
    expect(monitor.place(nested)).toMatchObject({ kind: 'nested', leaf: tree.ids.call });
    expect(monitor.place(second)).toMatchObject({ kind: 'call', leaf: second, session: tree.ids.session });
    expect(monitor.place(stranger)).toBeUndefined();
    expect(monitor.place(misplaced)).toBeUndefined();
  });

  test('a removed cgroup leaves nothing behind in any map', () => {
    monitor.setAgent(tree.ids.agent, 1);
    runIn(tree.call, '/bin/true');
    expect(monitor.counts(tree.ids.call)).toBeDefined();
    const known = monitor.places().size;
    rmdirSync(tree.call);
    rmdirSync(tree.agent);
    expect(monitor.place(tree.ids.call)).toBeUndefined();
    expect(monitor.counts(tree.ids.call)).toBeUndefined();
    expect(monitor.usage(tree.ids.call)).toBeUndefined();
    expect(monitor.places().size).toBe(known - 2);
    const Agent = struct('acg_agent', { mainPid: u32, zero: u32 });
    const agents = new MapView({ name: 'acg_agents', map: monitor.program.map('acg_agents'), key: id, value: Agent });
    expect(agents.get(tree.ids.agent)).toBeUndefined();
  });

  test('an id that another cgroup had before is not believed', () => {
    const cgroups = new MapView({
      name: 'acg_cgroups',
      map: monitor.program.map('acg_cgroups'),
      key: id,
      value: AcgCgroup,
    });
    const entry = cgroups.get(tree.ids.call)!;
    // as a cgroup id reused after a removal that nobody saw would look
    cgroups.set(tree.ids.call, { ...entry, serial: entry.serial - 1n });
    runIn(tree.call, '/bin/true');
    expect(monitor.counts(tree.ids.call)).toBeUndefined();
    // nor does removing the new cgroup remove the other one's entry; looking again repairs it
    monitor.watch(tree.root);
    expect(cgroups.get(tree.ids.call)).toEqual(entry);
    runIn(tree.call, '/bin/true');
    expect(monitor.counts(tree.ids.call)).toMatchObject({ execs: 1 });
  });

  test('fork, exec and exit of a call, with arguments and exit code', async () => {
    const { status } = runIn(tree.call, '/bin/sh -c "exit 3" "two words" ""; exit 0');
    expect(status).toBe(0);
    const exec = await events.wait((e) => e.type === 'exec' && e.argv.length === 5);
    expect(exec).toMatchObject({
      kind: 'call',
      leaf: tree.ids.call,
      session: tree.ids.session,
      tenant: tree.ids.tenant,
      comm: 'sh',
      argv: ['/bin/sh', '-c', 'exit 3', 'two words', ''],
    });
    const fork = await events.wait((e) => e.type === 'fork' && e.child === exec.pid);
    expect(fork.timeNs).toBeLessThan(exec.timeNs);
    const exit = await events.wait((e) => e.type === 'exit' && e.pid === exec.pid);
    expect(exit).toMatchObject({ comm: 'sh', exitCode: 3, signal: null, oomKilled: false });
    expect((exit as { peakRssBytes: number }).peakRssBytes).toBeGreaterThan(100 * 1024);
    expect((exit as { startNs: number }).startNs).toBeLessThan(exit.timeNs);
    // the shell that entered the cgroup came from outside: its fork is nobody's, its exit is ours
    expect(monitor.counts(tree.ids.call)).toMatchObject({ forks: 1, execs: 1, exits: 2 });
  });

  test('a signal is told as a signal', async () => {
    runIn(tree.call, "/bin/sh -c 'kill -TERM $$'; exit 0");
    expect(await events.wait((e) => e.type === 'exit' && e.signal !== null)).toMatchObject({
      signal: 'SIGTERM',
      exitCode: null,
    });
  });

  test('arguments beyond 1 KiB are cut, and their true length is told', async () => {
    const long = 'x'.repeat(5000);
    runIn(tree.call, '/bin/echo begin "$LONG" end > /dev/null', { LONG: long });
    const exec = await events.wait((e) => e.type === 'exec' && e.argv[0] === '/bin/echo');
    const { argv, argvBytes } = exec as { argv: string[]; argvBytes: number };
    expect(argv.slice(0, 2)).toEqual(['/bin/echo', 'begin']);
    expect(argv[2]).toBe('x'.repeat(1024 - '/bin/echo begin '.length));
    expect(argvBytes).toBe(`/bin/echo begin ${long} end `.length);
  });

  test('threads are counted, not reported', async () => {
    runIn(tree.call, `"${process.execPath}" -e 0`);
    const exit = await events.wait((e) => e.type === 'exit' && e.comm !== 'sh');
    expect(monitor.counts(tree.ids.call)!.threads).toBeGreaterThan(3);
    expect(events.seen.filter((e) => e.type === 'exit' && e.pid === exit.pid)).toHaveLength(1);
  });

  test('what the agent starts itself is reported at once; what the shim starts is not', async () => {
    // the "agent": enters its leaf, then runs a tool call of its own, which runs another
    const script =
      'echo $$ > "$CGROUP/cgroup.procs"; read go; /bin/sh -c "/bin/true; exit 0"; /bin/echo shim > /dev/null; read end';
    const agent = spawn('/bin/sh', ['-c', script], {
      env: { PATH: '/bin', CGROUP: tree.agent },
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    monitor.setAgent(tree.ids.agent, agent.pid!);
    monitor.exempt('/bin/echo');
    agent.stdin.write('go\n');
    const outside = await events.wait((e) => e.type === 'outside');
    expect(outside).toMatchObject({
      leaf: tree.ids.agent,
      kind: 'agent',
      ppid: agent.pid,
      argv: ['/bin/sh', '-c', '/bin/true; exit 0'],
    });
    // its child belongs to it, and the exempt executable is the shim's
    await events.wait((e) => e.type === 'exec' && e.argv[0] === '/bin/true' && e.ppid === outside.pid);
    await events.wait((e) => e.type === 'exec' && e.argv[0] === '/bin/echo' && e.ppid === agent.pid);
    expect(events.seen.filter((e) => e.type === 'outside')).toHaveLength(1);
    agent.stdin.end('end\n');
    await once(agent, 'exit');
    expect(monitor.counts(tree.ids.agent)).toMatchObject({ outside: 1, execs: 3 });
  });

  test('until somebody names the agent, any process of the leaf may be it', async () => {
    runIn(tree.agent, '/bin/sh -c "exit 0"; exit 0');
    expect(await events.wait((e) => e.type === 'outside')).toMatchObject({ argv: ['/bin/sh', '-c', 'exit 0'] });
  });

  test('every hook is on, or says why not', () => {
    for (const hook of monitor.program.hooks) expect(hook.on || hook.why, hook.name).toBeTruthy();
    const on = monitor.program.hooks.filter((h) => h.on).map((h) => h.name);
    expect(on).toEqual(
      expect.arrayContaining(['cgroup_made', 'cgroup_removed', 'process_fork', 'process_exec', 'process_exit']),
    );
  });
});

describe.skipIf(why)('a ring too small', () => {
  test('what did not fit is counted by type, nothing hangs, and what fitted arrives', () => {
    const monitor = new Monitor({ pinRoot: false, maxEntries: { acg_events: 4096 } });
    const tree = scratchTree();
    try {
      monitor.watch(tree.root);
      // no reader yet
      runIn(tree.call, 'i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done');
      const { seen, stream } = collect(monitor);
      stream.drain();
      const counts = monitor.counts(tree.ids.call)!;
      const lost = stream.lost();
      stream[Symbol.dispose]();
      expect(counts).toMatchObject({ forks: 200, execs: 200 });
      for (const [type, counted] of [
        ['fork', counts.forks],
        ['exec', counts.execs],
        ['exit', counts.exits],
      ] as const) {
        expect(lost[type]).toBeGreaterThan(0);
        expect(seen.filter((e) => e.type === type).length + lost[type]!, type).toBe(counted);
      }
    } finally {
      tree.remove();
      monitor.unload();
    }
  });
});

describe.skipIf(why)('a reader that has had enough', () => {
  test('closes the stream in the midst of a drain: nothing more comes', () => {
    const monitor = new Monitor({ pinRoot: false });
    const tree = scratchTree();
    try {
      monitor.watch(tree.root);
      // more than one turn takes: 256 KiB
      runIn(tree.call, 'i=0; while [ $i -lt 1500 ]; do /bin/true; i=$((i+1)); done');
      let heard = 0;
      const stream: EventStream = monitor.events(() => {
        heard++;
        stream[Symbol.dispose]();
      });
      stream.drain();
      expect(heard).toBeGreaterThan(0);
      expect(heard).toBeLessThan(3 * 1500);
      stream.drain();
    } finally {
      tree.remove();
      monitor.unload();
    }
  });
});

describe.skipIf(why)('a map of cgroups too small', () => {
  test('a cgroup that did not fit is counted', () => {
    const monitor = new Monitor({ pinRoot: false, maxEntries: { acg_cgroups: 4 } });
    const tree = scratchTree();
    try {
      monitor.watch(tree.root);
      const { stream } = collect(monitor);
      expect(monitor.places().size).toBe(4);
      expect(stream.lost()).toEqual({ cgroup: 1 });
      stream[Symbol.dispose]();
    } finally {
      tree.remove();
      monitor.unload();
    }
  });
});

describe.skipIf(why)('maps', () => {
  test('typed elements: set, get, list, delete; full, existing and missing are told by name', () => {
    using monitor = new Monitor({ pinRoot: false });
    const Exe = struct('acg_exe', { dev: bits64, ino: bits64 });
    const map = new MapView({ name: 'acg_exempt', map: monitor.program.map('acg_exempt'), key: Exe, value: u32 });
    const key = (n: number) => ({ dev: 2n ** 63n + BigInt(n), ino: BigInt(n) });
    for (let n = 0; n < map.maxEntries; n++) map.set(key(n), n);
    expect(map.get(key(7))).toBe(7);
    expect(map.entries().sort((a, b) => a[1] - b[1])).toEqual(
      Array.from({ length: map.maxEntries }, (_, n) => [key(n), n]),
    );
    expect(() => map.set(key(1000), 1)).toThrow(
      expect.objectContaining({ code: 'ACG_BPF_MAP', message: expect.stringContaining('E2BIG') }),
    );
    expect(() => map.set(key(7), 1, 'create')).toThrow('EEXIST');
    expect(map.delete(key(7))).toBe(true);
    expect(map.delete(key(7))).toBe(false);
    expect(map.get(key(7))).toBeUndefined();
    expect(() => map.set(key(7), 1, 'replace')).toThrow('ENOENT');
  });

  test('a view of the wrong size is ACG_BPF_LAYOUT', () => {
    using monitor = new Monitor({ pinRoot: false });
    const map = monitor.program.map('acg_exempt');
    expect(() => new MapView({ name: 'acg_exempt', map, key: u32, value: u32 })).toThrow(
      expect.objectContaining({ code: 'ACG_BPF_LAYOUT', message: expect.stringContaining('keys of 16') }),
    );
  });
});

test.skipIf(why)('a process that forgets to close its stream ends all the same, and in order', async () => {
  const script = `
    import { Monitor } from ${JSON.stringify(join(repository, 'src/control/kernel/index.ts'))};
    const monitor = new Monitor({ pinRoot: false });
    monitor.events(() => {}).unref();
    console.log('done');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  expect(await once(child, 'exit')).toEqual([0, null]);
  clearTimeout(timer);
});
