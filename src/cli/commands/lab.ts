import { constants } from 'node:os';
import type { Command } from 'commander';
import type { LabOptions, LabResult } from '../../lab/index.ts';
import { AcgError, parseDuration, parseSize } from '../../model/index.ts';
import { printJson, table } from '../print.ts';

interface GuestFlags {
  kernel: string;
  memory: string;
  cpus: string;
  swap?: string;
  timeout?: string;
  deterministic?: boolean;
  share?: string;
  cwd?: string;
  env?: string[];
  kernelArgument?: string[];
}

export function addLab(program: Command): void {
  const lab = program
    .command('lab')
    .description('A microVM with a kernel that has everything, on this machine’s own root.')
    .enablePositionalOptions();
  addRun(lab);
  addShell(lab);
  addKernel(lab);
}

function guestOptions(command: Command): Command {
  const repeat = (value: string, before: string[] = []) => [...before, value];
  return command
    .option('--kernel <name>', 'stock, memcg-bpf, memcg-bpf-debug, or the path of a kernel image', 'stock')
    .option('--memory <size>', "the guest's memory", '2G')
    .option('--cpus <n>', "the guest's CPUs", '2')
    .option('--swap <size>', 'swap in compressed memory (zram); none by default')
    .option('--deterministic', "the guest's clock counts instructions, whatever the host's load")
    .option('--share <folder>', 'a host folder the guest may write; its path there is in AGENTCGROUP_LAB_SHARE')
    .option('--cwd <folder>', 'where to start; by default the current folder')
    .option('--env <name=value>', 'set a variable in the otherwise clean environment; repeatable', repeat)
    .option('--kernel-argument <word>', 'add a word to the kernel command line; repeatable', repeat);
}

function addRun(lab: Command): void {
  guestOptions(lab.command('run'))
    .description('Run one command in a fresh guest; its output and exit status are ours.')
    .argument('<command...>', 'the command and its arguments, after --')
    .option('--timeout <duration>', 'end it after this long, with status 124; 0 for never', '120s')
    .option('--console', "afterwards, print the guest kernel's console on stderr")
    .option('--json', 'print one JSON document with output and measures instead')
    .passThroughOptions()
    .addHelpText(
      'after',
      `
The guest sees this machine's files read-only; what it writes goes to memory and is gone at the end; /run is
its own. Exit status: the command's; 128+N when signal N ended it; 124 after --timeout.

Examples:
  agentcgroup lab run -- uname -r
  agentcgroup lab run --memory 4G --swap 1G --timeout 10m -- npx vitest run --project native
  agentcgroup lab run --share results -- sh -c 'cat /proc/pressure/memory > $AGENTCGROUP_LAB_SHARE/psi'`,
    )
    .action(async (argv: string[], flags: GuestFlags & { console?: boolean; json?: boolean }) => {
      const result = await untilSignal((signal) => {
        const options: LabOptions = { ...labOptions(flags), argv, signal };
        return run(flags.json ? options : { ...options, onStdout: to(process.stdout), onStderr: to(process.stderr) });
      }).catch((error: Error & { console?: string }) => {
        if (flags.console && error.console) process.stderr.write(error.console);
        throw error;
      });
      if (flags.json) {
        const { stdout, stderr, ...rest } = result;
        printJson({ ...rest, stdout: jsonText(stdout), stderr: jsonText(stderr) });
      }
      if (flags.console) process.stderr.write(result.console);
      process.exitCode = statusOf(result);
    });
}

function addShell(lab: Command): void {
  guestOptions(lab.command('shell'))
    .description('An interactive shell in a fresh guest.')
    .option('--shell <path>', 'the shell', '/bin/bash')
    .addHelpText(
      'after',
      `
Examples:
  agentcgroup lab shell
  agentcgroup lab shell --memory 4G --swap 512M`,
    )
    .action(async (flags: GuestFlags & { shell: string }) => {
      const { stdin, stdout } = process;
      if (!stdin.isTTY || !stdout.isTTY) throw new AcgError('ACG_USAGE', 'lab shell needs a terminal; see lab run');
      let close = () => {};
      try {
        const result = await untilSignal((signal) =>
          run({
            ...labOptions(flags),
            argv: [flags.shell],
            timeoutMs: 0,
            signal,
            onStdout: to(stdout),
            terminal: {
              rows: stdout.rows,
              columns: stdout.columns,
              onOpen: (terminal) => {
                const resize = () => terminal.resize(stdout.rows, stdout.columns);
                const input = (data: Buffer) => terminal.input(data);
                stdin.setRawMode(true).on('data', input);
                stdout.on('resize', resize);
                close = () => {
                  stdin.setRawMode(false).off('data', input).pause();
                  stdout.off('resize', resize);
                };
              },
            },
          }),
        );
        process.exitCode = statusOf(result);
      } finally {
        close();
      }
    });
}

function addKernel(lab: Command): void {
  const kernel = lab.command('kernel').description('Kernels for the lab.');
  kernel
    .command('fetch')
    .description("Put Debian's newest stock cloud kernel into the cache (nothing is installed).")
    .option('--refresh', 'look for a newer one even if there is one')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  agentcgroup lab kernel fetch --refresh')
    .action(async ({ refresh, json }: { refresh?: boolean; json?: boolean }) => {
      const { fetchStockKernel, findKernel } = await import('../../lab/index.ts');
      const say = (text: string) => void process.stderr.write(`lab: ${text}\n`);
      const { release, origin, image } = await untilSignal(async (signal) => {
        if (refresh) await fetchStockKernel(say, { refresh, signal });
        return findKernel('stock', say, signal);
      });
      if (json) printJson({ name: 'stock', release, origin, image });
      else process.stdout.write(`${release} (${origin})\n`);
    });
  kernel
    .command('build')
    .description("Build Debian's kernel source with the patches in kernel/ (memcg_bpf_ops) into the cache.")
    .option('--debug', 'with lockdep, KASAN and checks for sleeping where it is forbidden: memcg-bpf-debug')
    .option('--refresh', 'look for a newer source package even if there is one')
    .option('--jobs <n>', 'compilers at once; by default one per processor')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `
Ten minutes and 4 GB of the cache folder the first time; a changed series takes a minute or two. Compilers and other
packages it needs are installed by apt when they are missing. lab run --kernel memcg-bpf builds it too when needed.

Examples:
  agentcgroup lab kernel build && agentcgroup lab run --kernel memcg-bpf -- uname -r
  agentcgroup lab kernel build --debug --jobs 2`,
    )
    .action(async (flags: { debug?: boolean; refresh?: boolean; jobs?: string; json?: boolean }) => {
      const { buildKernel, findKernel } = await import('../../lab/index.ts');
      const { debug = false, refresh = false } = flags;
      const jobs = flags.jobs === undefined ? undefined : Number(flags.jobs);
      if (jobs !== undefined && !(Number.isInteger(jobs) && jobs > 0))
        throw new AcgError('ACG_USAGE', '--jobs 1 or more');
      const say = (text: string) => void process.stderr.write(`lab: ${text}\n`);
      const name = debug ? 'memcg-bpf-debug' : 'memcg-bpf';
      const { release, origin, image } = await untilSignal(async (signal) => {
        await buildKernel(say, { debug, refresh, jobs, signal });
        return findKernel(name, say, signal);
      });
      if (flags.json) printJson({ name, release, origin, image });
      else process.stdout.write(`${release} (${origin})\n`);
    });
  kernel
    .command('list')
    .description('The kernels in the cache; the first of a name is the one used.')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  agentcgroup lab kernel list --json')
    .action(async ({ json }: { json?: boolean }) => {
      const { listKernels } = await import('../../lab/index.ts');
      const kernels = (await listKernels()).map(({ name, release = '', origin = '', image, at = '' }) => ({
        name,
        release,
        origin,
        image,
        at,
      }));
      if (json) printJson(kernels);
      else
        process.stdout.write(
          `${table(
            ['name', 'release', 'origin', 'made', 'image'],
            kernels.map((k) => [k.name, k.release, k.origin, k.at.slice(0, 10), k.image]),
          )}\n`,
        );
    });
}

function labOptions(flags: GuestFlags & { timeout?: string }): Omit<LabOptions, 'argv'> {
  const env: Record<string, string> = {};
  for (const word of flags.env ?? []) {
    const m = /^([^=]+)=(.*)$/s.exec(word);
    if (!m) throw new AcgError('ACG_USAGE', `--env ${word}: NAME=VALUE wanted`);
    env[m[1]!] = m[2]!;
  }
  return {
    kernel: flags.kernel,
    memoryBytes: parseSize(flags.memory),
    cpus: Number(flags.cpus),
    swapBytes: flags.swap === undefined ? 0 : parseSize(flags.swap),
    timeoutMs: flags.timeout === undefined ? undefined : parseDuration(flags.timeout),
    deterministic: flags.deterministic,
    share: flags.share,
    cwd: flags.cwd,
    env,
    kernelArguments: flags.kernelArgument,
  };
}

async function run(options: LabOptions): Promise<LabResult> {
  const { runInLab } = await import('../../lab/index.ts');
  return runInLab(options);
}

/** Passes `work` an AbortSignal that a signal from outside sets off; then, all torn down, ends as that signal would have. */
async function untilSignal<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  let received: NodeJS.Signals | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    received ??= name;
    stop.abort(new Error(`ended by ${name}`));
  };
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.on(name, onSignal);
  try {
    return await work(stop.signal);
  } catch (error) {
    if (received) process.exit(128 + constants.signals[received]);
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(128 + constants.signals.SIGPIPE);
    throw error;
  } finally {
    for (const name of names) process.off(name, onSignal);
  }
}

/** Writes to one of our own streams at the reader's pace. A reader that is gone ends the run, as SIGPIPE ends other programs. */
function to(stream: NodeJS.WriteStream): (chunk: Buffer) => Promise<void> {
  stream.once('error', () => {}); // told by the callback; unheard, the event would end us before the tear-down
  return (chunk) =>
    new Promise((resolve, reject) => stream.write(chunk, (error) => (error ? reject(error) : resolve())));
}

function statusOf({ exitCode, signal }: LabResult): number {
  return exitCode ?? 128 + (constants.signals[signal!] ?? Number(signal!.slice(3)));
}

/** Text where it is text, else base64. */
function jsonText(data: Buffer): string | { base64: string } {
  const text = data.toString();
  return Buffer.from(text).equals(data) ? text : { base64: data.toString('base64') };
}
