import { existsSync, statSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import type { RecordCost } from '../../control/record/index.ts';
import { AcgError, parseDuration } from '../../model/index.ts';
import { printJson } from '../print.ts';

interface Flags {
  session?: string;
  cgroup?: string;
  container?: string;
  pid?: number;
  cgroupRoot?: string;
  interval: string;
  out?: string;
  duration?: string;
  claudeSession?: string;
  name?: string;
  calls: boolean;
  json?: boolean;
}

export function addRecord(program: Command): void {
  program
    .command('record')
    .description('Record what runs already, from outside: a session, cgroup, container or process tree.')
    .option('--session <id>', 'a session of the daemon: its agent leaf and its tool calls')
    .option('--cgroup <path>', 'a cgroup directory and all below it (v2 or v1)')
    .option('--container <id>', 'a container of podman, docker or containerd, by id or name')
    .option('--pid <pid>', 'a process with its children: the agent itself', positive)
    .option('--interval <duration>', 'time between samples, 10ms at least', '100ms')
    .option('--duration <duration>', 'stop after this long; by default when the target ends, or on Ctrl-C')
    .option('-o, --out <file>', 'where to; by default <name>-<time>.ndjson in the current folder')
    .option('--claude-session <file>', "take the calls from the agent's own session file (Claude Code, Codex)")
    .option('--no-calls', 'do not look for calls in the process tree')
    .option('--name <name>', 'a name for grouping, kept as the task')
    .option('--cgroup-root <path>', 'where the daemon keeps its sessions, when that is not the usual place')
    .option('--json', 'print what it has cost as JSON')
    .addHelpText(
      'after',
      `
Nothing is changed on the target and no daemon is needed. Memory, CPU time and processes are read at every interval; kinds
of memory, swap, I/O and pressure when memory has moved by 1 MiB, and once a second. What recording costs is printed at the
end and kept in the trace. Calls come from the daemon's cgroups (--session), from the agent's session file, or from the
process tree: a process of the agent's that becomes a shell with a script of its own (bash -c ...) is a call until that
shell ends. Calls shorter than the interval may be missed that way. docs/trace-format.md says more.

Examples:
  agentcgroup record --pid $(pgrep -nx claude) --duration 10m
  agentcgroup record --container 3f4e9d2c81ab --interval 50ms -o run.ndjson
  agentcgroup record --session s1 --json`,
    )
    .action(record);
}

async function record(flags: Flags): Promise<void> {
  const named = [flags.session, flags.cgroup, flags.container, flags.pid].filter((x) => x !== undefined);
  if (named.length !== 1)
    throw new AcgError('ACG_USAGE', 'name one thing to record: --session, --cgroup, --container or --pid');
  const intervalMs = parseDuration(flags.interval);
  if (intervalMs < 10) throw new AcgError('ACG_USAGE', '--interval is 10ms at least');
  const durationMs = flags.duration === undefined ? undefined : parseDuration(flags.duration);

  const { callsFromLog, findTarget, Recorder } = await import('../../control/record/index.ts');
  const { TraceWriter, tracePath } = await import('../../trace/index.ts');
  const target = findTarget(flags);
  if (flags.claudeSession !== undefined && !existsSync(flags.claudeSession))
    throw new AcgError('ACG_TRACE', `${flags.claudeSession} is not there`);
  const start = Date.now();
  const session = target.session ? target.name : `${target.name}-${start}`.slice(-64);
  const path = flags.out ?? tracePath('.', target.name, start);
  await onlyTraces(path);
  const writer = await TraceWriter.open(path, {
    // fewer and larger writes: a crash of the recorder may cost a second
    flushMs: 1000,
    onError: (error) => void process.stderr.write(`agentcgroup: ${error.code}: ${error.message}\n`),
  });
  process.stderr.write(`recording ${target.what} every ${intervalMs} ms into ${path}\n`);

  const recorder = new Recorder({
    target,
    session,
    ...(flags.name !== undefined && { task: flags.name }),
    intervalMs,
    treeCalls: flags.calls && flags.claudeSession === undefined,
    write: (r) => writer.write(r),
  });
  try {
    await Promise.race([recorder.ended, interrupted(), ...(durationMs === undefined ? [] : [after(durationMs)])]);
  } finally {
    const cost = recorder.stop();
    const end = Date.now();
    writer.write({ type: 'event', session, t: end, kind: 'record-cost', data: { ...cost } });
    try {
      const recording = { session, tenant: target.tenant, start, end };
      if (flags.claudeSession !== undefined)
        for (const r of await callsFromLog(flags.claudeSession, recording)) writer.write(r);
    } finally {
      const { dropped } = await writer.close();
      report(flags, path, session, { ...cost, dropped });
    }
  }
}

/** Records are added to what is there: that must be a trace. */
async function onlyTraces(path: string): Promise<void> {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile() || statSync(path).size === 0) return;
  const { formatOf } = await import('../../trace/index.ts');
  if ((await formatOf(path)) !== 'ndjson')
    throw new AcgError('ACG_USAGE', `--out ${path} is there already and is no trace: name another file`);
}

function report(flags: Flags, path: string, session: string, cost: RecordCost & { dropped: number }): void {
  if (cost.dropped) process.exitCode = 74;
  if (flags.json) {
    printJson({ path, session, ...cost });
    return;
  }
  process.stderr.write(
    `${cost.samples} samples of up to ${cost.cgroups || 'no'} cgroups and ${cost.calls} calls in ${cost.seconds.toFixed(1)} s; ` +
      `cost ${cost.cpuPercent.toFixed(2)} % of one CPU; ${cost.missedRounds} of ${cost.rounds + cost.missedRounds} rounds missed\n`,
  );
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError('a process id is expected');
  return Number(text);
}
