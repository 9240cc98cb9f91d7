/**
 * What recording costs: 50 cgroups every 100 ms, as per cent of one CPU, against opening every file at every look.
 *
 * Where cgroup v2 accounts memory, the recorder itself runs on 50 cgroups made for it. On a host whose memory controller is
 * on v1 each reader gets CPU time and pressure from a v2 cgroup made for it and memory, read-only, from a v1 cgroup that
 * is there already: the five busy cgroups from those that move most, the others from those that move least. Five seconds
 * to warm up are not counted. Needs root. Usage: node bench/record.ts [seconds]
 */
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CgroupReader } from '../src/control/record/cgroup-reader.ts';
import { type Directories, hierarchies } from '../src/control/record/hierarchy.ts';
import { Recorder } from '../src/control/record/index.ts';
import { TraceWriter } from '../src/trace/index.ts';

const CGROUPS = 50;
const INTERVAL_MS = 100;
const BUSY = 5;
const WARM_MS = 5000;
const seconds = Number(process.argv[2] ?? 15);

const h = hierarchies();
if (!h.v2) throw new Error('no cgroup2 mount');
const root = join(h.v2.path, `acg-bench-record-${process.pid}`);
const out = mkdtempSync(join(tmpdir(), 'acg-bench-'));
const ordered = await byMovement();
const quiet = ordered.slice(0, Math.max(1, ordered.length >> 1));
const moving = ordered.slice(-Math.min(BUSY, ordered.length));
const made: string[] = [];
const children: ReturnType<typeof spawn>[] = [];
const make = (path: string) => {
  mkdirSync(path);
  made.push(path);
};

try {
  const v2Memory = readFileSync(join(h.v2.path, 'cgroup.controllers'), 'utf8').includes('memory');
  if (v2Memory) writeFileSync(join(h.v2.path, 'cgroup.subtree_control'), '+memory +pids +io +cpu');
  make(root);
  if (v2Memory) writeFileSync(join(root, 'cgroup.subtree_control'), '+memory +pids +io +cpu');
  for (let i = 0; i < CGROUPS; i++) make(join(root, `c${i}`));
  // five of them work in turns (10 ms of 100), so that counters move as on a node with mostly waiting sessions
  for (let i = 0; i < BUSY; i++) {
    const script =
      'setInterval(() => { const a = Buffer.alloc(3e6 + 2e6 * Math.random(), 1); const e = Date.now() + 10; while (Date.now() < e); a.fill(2); }, 100)';
    const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
    children.push(child);
    writeFileSync(join(root, `c${i}`, 'cgroup.procs'), String(child.pid));
  }
  await sleep(500);
  const kept = v2Memory ? await recorder() : await readers();
  const opened = await openingEachTime(v2Memory);
  const empty = await atInterval(() => {});
  console.log(`${CGROUPS} cgroups every ${INTERVAL_MS} ms for ${seconds} s, memory accounted by v${v2Memory ? 2 : 1}`);
  console.log(`recorder, files kept open:             ${kept.toFixed(2)} % of one CPU`);
  console.log(
    `the same files opened at every look:   ${opened.toFixed(2)} % of one CPU (${(opened / kept).toFixed(1)}x)`,
  );
  console.log(`a loop that does nothing:              ${empty.toFixed(2)} % of one CPU`);
  console.log(kept < 1 ? 'under 1 %' : 'NOT under 1 %');
  if (kept >= 1) process.exitCode = 1;
} finally {
  for (const child of children) child.kill('SIGKILL');
  for (const path of made.reverse()) await removed(path);
  rmSync(out, { recursive: true });
}

/** Killed processes leave their cgroup a little later. */
async function removed(path: string): Promise<void> {
  for (let tries = 0; ; tries++)
    try {
      rmdirSync(path);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || tries === 50) throw error;
      await sleep(100);
    }
}

/** The whole recorder. */
async function recorder(): Promise<number> {
  const writer = await TraceWriter.open(join(out, 'trace.ndjson'), { flushMs: 1000 });
  const target = { name: 'bench', what: root, tenant: 'bench', cgroup: { v2: root, v1: {} }, session: false };
  const r = new Recorder({
    target,
    session: 'bench',
    intervalMs: INTERVAL_MS,
    treeCalls: false,
    write: (x) => writer.write(x),
  });
  await sleep(WARM_MS);
  const cost = await during(() => sleep(seconds * 1000));
  r.stop();
  await writer.close();
  return cost;
}

/** Its readers and writer, for hosts on which 50 cgroups with memory accounting cannot be had without touching v1. */
async function readers(): Promise<number> {
  const writer = await TraceWriter.open(join(out, 'trace.ndjson'), { flushMs: 1000 });
  const all = directories(false).map((d) => ({ reader: new CgroupReader(d), last: '', at: 0 }));
  const cost = await atInterval((now, t) => {
    for (const [i, place] of all.entries()) {
      const usage = place.reader.read(now);
      if (usage?.memoryBytes === undefined) throw new Error(`no memory for cgroup ${i}`);
      const mark = `${usage.memoryBytes} ${usage.cpuUsec}`;
      if (mark === place.last && now - place.at < 950) continue;
      Object.assign(place, { last: mark, at: now });
      const { memoryBytes } = usage;
      writer.write({ type: 'sample', session: 'bench', scope: 'cgroup', cgroup: `c${i}`, t, ...usage, memoryBytes });
    }
  });
  for (const { reader } of all) reader.close();
  await writer.close();
  return cost;
}

/** What a straightforward script does. */
async function openingEachTime(v2Memory: boolean): Promise<number> {
  const names = [
    'memory.current',
    'memory.stat',
    'memory.swap.current',
    'memory.usage_in_bytes',
    'cpu.stat',
    'io.stat',
    'pids.current',
    'memory.pressure',
    'cpu.pressure',
    'io.pressure',
  ];
  const files = directories(v2Memory).map((d) =>
    [d.v2!, ...Object.values(d.v1)].flatMap((dir) => names.map((n) => join(dir, n)).filter((f) => existsSync(f))),
  );
  const writer = await TraceWriter.open(join(out, 'plain.ndjson'));
  const cost = await atInterval((_, t) => {
    for (const [i, list] of files.entries()) {
      const text = list.map((f) => readFileSync(f, 'utf8'));
      writer.write({ type: 'sample', session: 'bench', scope: 'cgroup', cgroup: `c${i}`, t, memoryBytes: text.length });
    }
  });
  await writer.close();
  return cost;
}

function directories(v2Memory: boolean): Directories[] {
  return Array.from({ length: CGROUPS }, (_, i) => {
    const memory = v2Memory ? undefined : i < BUSY ? moving[i % moving.length] : quiet[i % quiet.length];
    return { v2: join(root, `c${i}`), v1: memory === undefined ? {} : { memory } };
  });
}

/** v1 memory cgroups of the machine, by how much they change in a second. */
async function byMovement(): Promise<string[]> {
  const v1 = h.v1.get('memory')?.path;
  if (!v1) return [];
  const all = below(v1).slice(1);
  const usage = () => all.map((d) => Number(readFileSync(join(d, 'memory.usage_in_bytes'), 'latin1')));
  const before = usage();
  await sleep(1000);
  const change = usage().map((bytes, i) => Math.abs(bytes - before[i]!));
  return all
    .map((path, i) => ({ path, change: change[i]! }))
    .sort((x, y) => x.change - y.change)
    .map((x) => x.path);
}

function below(path: string): string[] {
  const inner = readdirSync(path, { withFileTypes: true }).filter((e) => e.isDirectory());
  return [path, ...inner.flatMap((e) => below(join(path, e.name)))];
}

/** CPU per cent of `look` and what it causes, called on a grid of INTERVAL_MS for `seconds`. */
async function atInterval(look: (now: number, t: number) => void): Promise<number> {
  const loop = async (ms: number) => {
    const start = performance.now();
    for (let n = 1; performance.now() - start < ms; n++) {
      look(performance.now(), Date.now());
      await sleep(Math.max(0, start + n * INTERVAL_MS - performance.now()));
    }
  };
  await loop(WARM_MS);
  return during(() => loop(seconds * 1000));
}

async function during(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e4 / ((performance.now() - start) / 1000);
}
