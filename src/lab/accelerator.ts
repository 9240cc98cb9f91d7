import { createHash } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from './cache.ts';
import { BootFailure } from './failures.ts';
import { type GuestOptions, runGuest } from './guest.ts';
import type { LabKernel } from './kernel.ts';
import type { Accelerator } from './machine.ts';

const probeTimeoutMs = 30_000;

/**
 * What to boot `kernel` with: KVM when a boot under it works, else TCG. That /dev/kvm exists says little: nested
 * virtualisation may never get a stock kernel past its decompressor. The verdict is kept in the cache for this machine's
 * kernel and processor and the guest's kernel image.
 */
export async function chooseAccelerator(
  kernel: LabKernel,
  say: (notice: string) => void,
  signal?: AbortSignal,
): Promise<Accelerator> {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return 'tcg';
  }
  const file = verdictFile(kernel);
  try {
    return JSON.parse(readFileSync(file, 'utf8')).kvm ? 'kvm' : 'tcg';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && !(error instanceof SyntaxError)) throw error;
  }
  say(`trying KVM (once, at most ${probeTimeoutMs / 1000} s)`);
  const why = await tryKvm(kernel, signal);
  say(why === undefined ? 'KVM works' : `KVM does not work here: ${why}. Using emulation (TCG)`);
  await writeFile(
    `${file}.${process.pid}`,
    JSON.stringify({ kvm: why === undefined, why, at: new Date().toISOString() }),
  );
  await rename(`${file}.${process.pid}`, file);
  return why === undefined ? 'kvm' : 'tcg';
}

/** `why`: what speaks against KVM on this machine; undefined when it works. */
export async function keepVerdict(kernel: LabKernel, why: string | undefined): Promise<void> {
  const file = verdictFile(kernel);
  await writeFile(
    `${file}.${process.pid}`,
    JSON.stringify({ kvm: why === undefined, why, at: new Date().toISOString() }),
  );
  await rename(`${file}.${process.pid}`, file);
}

function verdictFile(kernel: LabKernel): string {
  const machine = [release(), cpus()[0]?.model, kernel.release ?? kernel.image].join('\n');
  return join(cacheFolder('lab'), `kvm-${createHash('sha256').update(machine).digest('hex').slice(0, 16)}.json`);
}

/** undefined when a guest came up and ran `true` under KVM, else why not. */
async function tryKvm(kernel: LabKernel, signal?: AbortSignal): Promise<string | undefined> {
  const options: GuestOptions = {
    kernel,
    accelerator: 'kvm',
    deterministic: false,
    memoryBytes: 512 << 20,
    cpus: 2,
    swapBytes: 0,
    kernelArguments: [],
    job: { argv: ['true'], env: { PATH: '/usr/bin:/bin' }, cwd: '/' },
    bootTimeoutMs: probeTimeoutMs,
    timeoutMs: probeTimeoutMs,
    signal,
    onStdout: () => {},
    onStderr: () => {},
    onNotice: () => {},
  };
  try {
    const { exitCode } = await runGuest(options);
    return exitCode === 0 ? undefined : `true ended with ${exitCode}`;
  } catch (error) {
    if (signal?.aborted) throw error;
    if (error instanceof BootFailure || (error as { code?: string }).code?.startsWith('ACG_LAB_'))
      return (error as Error).message;
    throw error;
  }
}
