import { existsSync, statSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { homedir, constants as os } from 'node:os';
import { join, resolve } from 'node:path';
import { AcgError } from '../model/index.ts';
import { chooseAccelerator, keepVerdict } from './accelerator.ts';
import { cacheFolder } from './cache.ts';
import type { GuestTerminal } from './conversation.ts';
import { fairEmulator } from './emulator.ts';
import { BootFailure, LabFailure } from './failures.ts';
import { type GuestEnd, runGuest } from './guest.ts';
import { findKernel } from './kernel.ts';
import { requirePackages } from './packages.ts';

/** Where the share is mounted in the guest; the command finds it in AGENTCGROUP_LAB_SHARE. */
export const SHARE_PATH = '/run/lab-share';

export interface LabOptions {
  argv: readonly [string, ...string[]] | readonly string[];
  /** `stock` (default), `memcg-bpf`, or the path of a kernel image. */
  kernel?: string | undefined;
  /** Of the guest: 2 GiB, 2 CPUs, no swap unless said otherwise. Swap is zram, so it takes guest memory. */
  memoryBytes?: number | undefined;
  cpus?: number | undefined;
  swapBytes?: number | undefined;
  /** Of the command, 120 s unless said otherwise; 0: no limit. */
  timeoutMs?: number | undefined;
  /** Of the boot, 90 s unless said otherwise. */
  bootTimeoutMs?: number | undefined;
  /** The guest's clock counts instructions (2 ns each; fast: 1) instead of following the host's. Needs TCG, so it never uses KVM. */
  deterministic?: boolean | 'fast' | undefined;
  /** Added to a clean environment (PATH and HOME of the caller, LANG, USER, AGENTCGROUP_LAB=1). */
  env?: Record<string, string> | undefined;
  /** The caller's unless said otherwise; one said must exist. /run is the guest's own. */
  cwd?: string | undefined;
  /** A host folder the guest may write. The rest of the host is read-only to it. */
  share?: string | undefined;
  /** Words for the kernel's command line; a function gets the number of the attempt, from 1. */
  kernelArguments?: readonly string[] | ((attempt: number) => readonly string[]) | undefined;
  signal?: AbortSignal | undefined;
  /** Output as it comes; the guest waits for a returned promise. What is taken here is not in the result. */
  onStdout?: ((chunk: Buffer) => void | Promise<void>) | undefined;
  onStderr?: ((chunk: Buffer) => void | Promise<void>) | undefined;
  /** What people should know: a fetch, a retried boot. Unless given, a line on stderr. */
  onNotice?: ((text: string) => void) | undefined;
  /** Run the command on a terminal of this size; its output is then all stdout. */
  terminal?: { rows: number; columns: number; onOpen: (terminal: GuestTerminal) => void } | undefined;
}

export interface LabResult {
  /** As wait(2) tells it: the status, or null and the signal. */
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: Buffer;
  /** All of it: boot, command, tear-down; its parts; by the host's clock. */
  wallMs: number;
  bootMs: number;
  commandMs: number;
  /** 1, or 2 when the first boot died. */
  attempts: number;
  guestKernel: string;
  accelerator: 'kvm' | 'tcg';
  /** What the guest's kernel wrote on its console. */
  console: string;
}

/**
 * Boots a lab kernel in a microVM on the host's own root (read-only, with a writable overlay that is thrown away), runs
 * one command in it as root and powers off. A boot that dies before the command starts is tried once more, with a notice.
 * The command's standard input is /dev/null; when it ends, so does all it started.
 *
 * Throws ACG_LAB_PACKAGE, ACG_LAB_KERNEL, ACG_LAB_BOOT (both boots died), ACG_LAB_DIED (the guest died while the command
 * ran: not tried again, it may have had effects), ACG_LAB_TIMEOUT, ACG_NOT_ROOT, ACG_USAGE; the signal's reason when
 * aborted. Whatever happens, no process, socket or folder stays behind.
 */
export async function runInLab(options: LabOptions): Promise<LabResult> {
  const begin = performance.now();
  const say = options.onNotice ?? ((text: string) => void process.stderr.write(`lab: ${text}\n`));
  checkOptions(options);
  requirePackages(['qemu-system-x86', 'virtiofsd']);
  const kernel = await findKernel(options.kernel ?? 'stock', say, options.signal);
  let accelerator = options.deterministic ? 'tcg' : await chooseAccelerator(kernel, say, options.signal);
  const emulator = options.deterministic ? await fairEmulator(say, options.signal) : undefined;
  const collected = { stdout: [] as Buffer[], stderr: [] as Buffer[] };

  const attempt = (number: number): Promise<GuestEnd> =>
    runGuest({
      kernel,
      accelerator,
      emulator: emulator?.program,
      deterministic: options.deterministic ?? false,
      memoryBytes: options.memoryBytes ?? 2 ** 31,
      cpus: options.cpus ?? 2,
      swapBytes: options.swapBytes ?? 0,
      share: options.share && resolve(options.share),
      kernelArguments:
        typeof options.kernelArguments === 'function'
          ? options.kernelArguments(number)
          : (options.kernelArguments ?? []),
      job: {
        argv: [...options.argv],
        env: guestEnvironment(options),
        cwd: resolve(options.cwd ?? process.cwd()),
        ...(options.terminal && { terminal: options.terminal }),
      },
      bootTimeoutMs: options.bootTimeoutMs ?? 90_000,
      timeoutMs: options.timeoutMs ?? 120_000,
      signal: options.signal,
      onStdout: options.onStdout ?? ((chunk) => void collected.stdout.push(chunk)),
      onStderr: options.onStderr ?? ((chunk) => void collected.stderr.push(chunk)),
      onNotice: say,
      onTerminal: options.terminal?.onOpen,
    });

  let attempts = 1;
  let end: GuestEnd;
  try {
    end = await attempt(1);
  } catch (first) {
    if (!(first instanceof BootFailure)) throw withOutput(first, collected);
    say(`the boot died (${first.message}); console: ${await keepConsole(first.console)}; trying once more`);
    if (accelerator === 'kvm') {
      await keepVerdict(kernel, first.message);
      accelerator = 'tcg';
    }
    attempts = 2;
    end = await attempt(2).catch(async (error) => {
      if (!(error instanceof BootFailure)) throw withOutput(error, collected);
      const tail = error.console.trim().split('\n').slice(-12).join('\n');
      const file = await keepConsole(error.console);
      const failure = new LabFailure('ACG_LAB_BOOT', `${error.message}; console log ${file}${tail && `:\n${tail}\n`}`);
      failure.console = error.console;
      throw failure;
    });
  }
  const { signal, ...rest } = end;
  return {
    ...rest,
    signal: signal === null ? null : signalName(signal),
    stdout: Buffer.concat(collected.stdout),
    stderr: Buffer.concat(collected.stderr),
    wallMs: performance.now() - begin,
    attempts,
    accelerator,
  };
}

function withOutput(error: unknown, { stdout, stderr }: { stdout: Buffer[]; stderr: Buffer[] }): unknown {
  if (error instanceof LabFailure) {
    error.stdout = Buffer.concat(stdout);
    error.stderr = Buffer.concat(stderr);
  }
  return error;
}

function checkOptions({ argv, cwd, share, memoryBytes = 2 ** 31, cpus = 2, swapBytes = 0 }: LabOptions): void {
  if (process.getuid?.() !== 0) throw new AcgError('ACG_NOT_ROOT', 'the lab serves the whole file system to its guest');
  if (argv.length === 0) throw new AcgError('ACG_USAGE', 'no command for the lab');
  for (const [what, folder] of [
    ['--cwd', cwd],
    ['--share', share],
  ] as const)
    if (folder !== undefined && !(existsSync(folder) && statSync(folder).isDirectory()))
      throw new AcgError('ACG_USAGE', `${what} ${folder}: no such folder`);
  if (!(memoryBytes >= 128 * 2 ** 20)) throw new AcgError('ACG_USAGE', 'the guest needs at least 128 MiB of memory');
  if (!(Number.isInteger(cpus) && cpus >= 1 && cpus <= 64)) throw new AcgError('ACG_USAGE', '1 to 64 CPUs');
  if (swapBytes !== 0 && !(swapBytes >= 2 ** 20)) throw new AcgError('ACG_USAGE', 'at least 1 MiB of swap');
}

function guestEnvironment({ env, share, terminal }: LabOptions): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: homedir(),
    USER: 'root',
    LOGNAME: 'root',
    SHELL: '/bin/bash',
    LANG: 'C.UTF-8',
    AGENTCGROUP_LAB: '1',
    ...(share !== undefined && { AGENTCGROUP_LAB_SHARE: SHARE_PATH }),
    ...(terminal && { TERM: process.env.TERM ?? 'xterm' }),
    ...env,
  };
}

function signalName(number: number): NodeJS.Signals {
  const found = Object.entries(os.signals).find(([, n]) => n === number);
  // real-time signals have no name in Node
  return (found?.[0] ?? `SIG${number}`) as NodeJS.Signals;
}

const keptLogs = 5;

/** Keeps a dead boot's console in the cache (the last few of them) and returns the file's path. */
async function keepConsole(text: string): Promise<string> {
  const folder = cacheFolder('lab', 'failed-boots');
  const file = join(folder, `${new Date().toISOString().replaceAll(':', '-')}-${process.pid}.log`);
  await writeFile(file, text);
  const logs = (await readdir(folder)).sort();
  for (const old of logs.slice(0, -keptLogs)) await rm(join(folder, old), { force: true });
  return file;
}
