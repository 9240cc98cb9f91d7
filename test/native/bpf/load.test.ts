import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bpf } from '../../../src/control/kernel/addon.ts';
import { bpfStatus, loadProgram, Monitor, unloadAll } from '../../../src/control/kernel/index.ts';
import { monitorSpec } from '../../../src/control/kernel/monitor.ts';
import { AcgEvent } from '../../../src/control/kernel/wire.ts';
import { prebuiltDirectory } from '../../../src/control/native/index.ts';
import { collect, compileFixture, repository, runIn, scratchBpffs, scratchTree, unable } from './scratch.ts';

const why = unable();

test('the addon brings its own libbpf and libelf', () => {
  const needs = execFileSync('ldd', [join(prebuiltDirectory, 'agentcgroup-bpf.node')], { encoding: 'utf8' });
  expect(needs).not.toMatch(/libbpf|libelf|libz|libstdc\+\+|libzstd/);
  expect(Number(/^v(\d+\.\d+)/.exec(bpf().libbpf)?.[1])).toBeGreaterThanOrEqual(1.4);
});

describe.skipIf(why)(`loading${why ? ` (skipped: ${why})` : ''}`, () => {
  let place: ReturnType<typeof scratchBpffs>;
  let tree: ReturnType<typeof scratchTree>;
  let rejected: Uint8Array;
  beforeAll(() => {
    place = scratchBpffs();
    tree = scratchTree();
    rejected = compileFixture('rejected');
  });
  afterAll(() => {
    tree?.remove();
    place?.remove();
  });

  test('an optional program that the verifier refuses is left out, with its reason', () => {
    const spec = { name: 'rejected', structs: [], essential: ['good'] };
    using loaded = loadProgram(spec, { pinRoot: false, object: rejected });
    expect(loaded.hooks.find((h) => h.name === 'good')).toEqual({
      name: 'good',
      place: 'tp_btf/sched_process_exec',
      on: true,
    });
    expect(loaded.hooks.find((h) => h.name === 'bad')).toMatchObject({
      on: false,
      why: expect.stringMatching(/^EACCES: .*R\d+ invalid mem access 'scalar'$/),
    });
    expect(loaded.on('good')).toBe(true);
    expect(loaded.on('bad')).toBe(false);
  });

  test('an essential one is ACG_BPF_LOAD with the verifier’s last words, and nothing stays', () => {
    const root = join(place.path, 'rejected');
    const spec = { name: 'rejected', structs: [], essential: ['bad'] };
    expect(() => loadProgram(spec, { pinRoot: root, object: rejected })).toThrow(
      expect.objectContaining({
        code: 'ACG_BPF_LOAD',
        message: expect.stringMatching(/rejected: EACCES: .*invalid mem access 'scalar'/),
        cause: expect.objectContaining({ log: expect.stringContaining('rejected.bpf.c:17') }),
      }),
    );
    expect(existsSync(root)).toBe(false);
  });

  test('an object built from another header is ACG_BPF_LAYOUT, before the kernel sees it', () => {
    const object = compileFixture('layout');
    const spec = { name: 'layout', structs: [AcgEvent], essential: [] };
    expect(() => loadProgram(spec, { pinRoot: false, object })).toThrow(
      expect.objectContaining({
        code: 'ACG_BPF_LAYOUT',
        message: expect.stringContaining(
          'struct acg_event: expected type, 4 bytes at 32; the object has call, 8 bytes at 32',
        ),
      }),
    );
  });

  test('rubbish instead of an object is ACG_BPF_LOAD', () => {
    const spec = { name: 'rubbish', structs: [], essential: [] };
    const object = Buffer.from('not an ELF file at all');
    expect(() => loadProgram(spec, { pinRoot: false, object })).toThrow(
      expect.objectContaining({ code: 'ACG_BPF_LOAD' }),
    );
  });

  test('signals that come faster than the verifier is through keep nobody from loading', () => {
    const folder = mkdtempSync(join(tmpdir(), 'acg-bpf-signals-'));
    const object = join(folder, 'long.bpf.o');
    writeFileSync(object, compileFixture('long'));
    const script = `
      import { readFileSync } from 'node:fs';
      import { loadProgram } from ${JSON.stringify(join(repository, 'src/control/kernel/index.ts'))};
      const spec = { name: 'long', structs: [], essential: [] };
      using loaded = loadProgram(spec, { pinRoot: false, object: readFileSync(process.argv[1]) });
      console.log(JSON.stringify(loaded.hooks));`;
    // a profile is made of signals to the main thread
    const profile = ['--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-dir=${folder}`];
    const { stdout, stderr } = spawnSync(process.execPath, [...profile, '--input-type=module', '-e', script, object], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    rmSync(folder, { recursive: true });
    expect(stdout, stderr).not.toBe('');
    expect(JSON.parse(stdout)).toEqual([{ name: 'long_to_verify', place: 'tp_btf/sched_process_exec', on: true }]);
  });

  test('unknown constants and maps are told', () => {
    expect(() => new Monitor({ pinRoot: false, constants: { acg_no_such: 1 } })).toThrow(
      'monitor.bpf.o has no constant acg_no_such',
    );
    using monitor = new Monitor({ pinRoot: false });
    expect(() => monitor.program.map('acg_no_such')).toThrow('monitor has no map acg_no_such');
  });

  test('pins need a BPF file system', () => {
    expect(() => new Monitor({ pinRoot: join(repository, 'test') })).toThrow(
      expect.objectContaining({ code: 'ACG_BPF_PIN', message: expect.stringContaining('not in a BPF file system') }),
    );
  });

  test('unload never deletes files, nor what others have pinned beside ours', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'acg-unload-'));
    writeFileSync(join(folder, 'file'), 'kept');
    mkdirSync(join(folder, 'stay'));
    await expect(unloadAll(folder)).rejects.toThrow(
      expect.objectContaining({ code: 'ACG_BPF_PIN', message: expect.stringContaining('not in a BPF file system') }),
    );
    expect(readdirSync(folder)).toEqual(['file', 'stay']);
    rmSync(folder, { recursive: true });

    const root = join(place.path, 'beside');
    for (const name of ['others', 'stay']) mkdirSync(join(root, name), { recursive: true });
    await unloadAll(root);
    expect(readdirSync(root)).toEqual(['others']);
  });

  test('without privilege it is ACG_BPF_UNSUPPORTED, not a riddle', () => {
    const script = `
      import { bpfStatus, Monitor, probeKernel } from ${JSON.stringify(join(repository, 'src/control/kernel/index.ts'))};
      process.setgroups([]); process.setgid(65534); process.setuid(65534);
      let status; try { bpfStatus(); } catch (error) { status = error.code; }
      const rows = new Set(probeKernel().map((row) => row.state));
      try { new Monitor({ pinRoot: false }); } catch (error) { console.log(JSON.stringify({ code: error.code, text: error.message, rows: [...rows], status })); }`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(stdout, stderr).toContain('"code":"ACG_BPF_UNSUPPORTED"');
    expect(JSON.parse(stdout)).toMatchObject({
      text: expect.stringContaining('CAP_BPF'),
      rows: ['unknown'],
      status: 'ACG_BPF_UNSUPPORTED',
    });
  });

  test('pinned, it outlives its process: the next one finds hooks, maps and what was sent meanwhile', async () => {
    const root = join(place.path, 'agentcgroup');
    const script = `
      import { Monitor } from ${JSON.stringify(join(repository, 'src/control/kernel/index.ts'))};
      const monitor = new Monitor({ pinRoot: process.argv[1] });
      monitor.watch(process.argv[2]);
      monitor.setAgent(Number(process.argv[3]), 4242);
      process.kill(process.pid, 'SIGKILL');`;
    const first = spawnSync(process.execPath, [
      '--input-type=module',
      '-e',
      script,
      root,
      tree.root,
      String(tree.ids.agent),
    ]);
    expect(first.signal, String(first.stderr)).toBe('SIGKILL');

    runIn(tree.call, '/bin/true; exit 5');

    const monitor = new Monitor({ pinRoot: root });
    expect(monitor.program.reopened).toBe(true);
    const on = monitor.program.hooks.filter((h) => h.on).map((h) => h.name);
    expect(on).toEqual(expect.arrayContaining(['cgroup_made', 'process_exec', 'process_exit', 'place_existing']));
    expect(monitor.place(tree.ids.call)).toMatchObject({ kind: 'call', session: tree.ids.session });
    const { wait, stream } = collect(monitor);
    await wait((e) => e.type === 'exec' && e.argv[0] === '/bin/true' && e.leaf === tree.ids.call);
    await wait((e) => e.type === 'exit' && e.exitCode === 5);
    stream[Symbol.dispose]();
    monitor.unload();
    expect(readdirSync(root)).toEqual(['shared-v1']);
  });

  test('another version replaces the pinned one, and shares its maps', () => {
    const root = join(place.path, 'agentcgroup');
    const first = new Monitor({ pinRoot: root });
    first.watch(tree.root);
    const second = new Monitor({ pinRoot: root, constants: { acg_sample_gap_ns: 20_000_000 } });
    expect(second.program.reopened).toBe(false);
    expect(readdirSync(root).filter((name) => name.startsWith('monitor-'))).toHaveLength(1);
    expect(second.place(tree.ids.call)?.kind).toBe('call');
    first[Symbol.dispose]();
    second.unload();
  });

  test('status shows what is pinned, unload removes it, and says who still holds what', async () => {
    const root = join(place.path, 'agentcgroup');
    const cli = (...args: string[]) =>
      spawnSync(process.execPath, ['bin/agentcgroup.js', 'bpf', ...args, '--pin-root', root], {
        cwd: repository,
        encoding: 'utf8',
      });
    const monitor = new Monitor({ pinRoot: root });
    const status = JSON.parse(cli('status', '--json').stdout);
    expect(status.loaded).toHaveLength(1);
    expect(status.loaded[0]).toMatchObject({ name: 'monitor', links: expect.arrayContaining(['process_exec']) });
    const programs = Object.fromEntries(
      status.loaded[0].programs.map((p: { name: string; attached: boolean }) => [p.name, p.attached]),
    );
    expect(programs).toMatchObject({ process_exec: true, process_exit: true, place_existing: false });
    expect(status.shared.map((m: { name: string; type: string }) => [m.name, m.type])).toEqual([
      ['acg_cgroups', 'hash'],
      ['acg_events', 'ring buffer'],
      ['acg_lost', 'per-CPU array'],
    ]);
    expect(cli('status').stdout).toMatch(/process_exec +attached/);

    const held = cli('unload');
    expect(held).toMatchObject({ status: 75, stderr: expect.stringContaining('held by a running process') });
    monitor[Symbol.dispose]();
    expect(cli('status').stdout).toContain('nothing is pinned');
    expect(await unloadAll(root)).toMatchObject({ removed: { loaded: [], shared: [] }, held: 0 });
    expect(existsSync(root)).toBe(false);

    // nobody holds it: all of it is gone at once
    new Monitor({ pinRoot: root })[Symbol.dispose]();
    expect(await unloadAll(root)).toMatchObject({ removed: { loaded: [{ name: 'monitor' }] }, held: 0 });
  });

  test('run counts while the kernel keeps statistics', () => {
    const root = join(place.path, 'agentcgroup');
    const monitor = new Monitor({ pinRoot: root });
    monitor.watch(tree.root);
    const statistics = bpf().enableRunStats();
    runIn(tree.call, '/bin/true; /bin/true');
    bpf().close(statistics);
    const exec = bpfStatus(root).loaded[0]!.programs.find((p) => p.name === 'process_exec')!;
    expect(exec.runs).toBeGreaterThanOrEqual(3);
    expect(exec.runNs).toBeGreaterThan(0);
    monitor.unload();
  });

  test('the constants are in the key: the spec itself loads without them', () => {
    using loaded = loadProgram(monitorSpec, { pinRoot: false, off: ['process_fork'] });
    expect(loaded.hooks.find((h) => h.name === 'process_fork')).toMatchObject({ on: false, why: 'switched off' });
  });
});
