import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type ConversationOptions, converse, type Programs } from './conversation.ts';
import { BootFailure, LabFailure } from './failures.ts';
import type { CommandEnd } from './frames.ts';
import { type ArchiveEntry, cpioArchive } from './initramfs.ts';
import type { LabKernel } from './kernel.ts';
import { type Accelerator, fileServerKind, qemuArguments, virtiofsdArguments } from './machine.ts';
import { requirePackages } from './packages.ts';
import { labProgram } from './programs.ts';
import { makeRunFolder } from './run-folder.ts';
import { Tethered } from './tethered.ts';

export interface GuestOptions extends ConversationOptions {
  kernel: LabKernel;
  accelerator: Accelerator;
  /** Path of QEMU; the machine's unless said otherwise. */
  emulator?: string | undefined;
  deterministic: boolean | 'fast';
  memoryBytes: number;
  cpus: number;
  swapBytes: number;
  /** A folder of the host that the guest may write, absolute. */
  share?: string | undefined;
  kernelArguments: readonly string[];
  /** From the start of QEMU until the guest's init is ready. */
  bootTimeoutMs: number;
  signal?: AbortSignal | undefined;
}

export interface GuestEnd extends CommandEnd {
  /** `uname -r` of the guest. */
  guestKernel: string;
  /** Until the guest was ready, and of the command alone. Host's clock. */
  bootMs: number;
  commandMs: number;
  console: string;
}

/**
 * One boot: starts file servers and QEMU, runs the job, ends them all, whatever happens. Throws BootFailure before the
 * command has started; afterwards ACG_LAB_DIED or ACG_LAB_TIMEOUT; the signal's reason when aborted.
 */
export async function runGuest(options: GuestOptions): Promise<GuestEnd> {
  options.signal?.throwIfAborted();
  const folder = await makeRunFolder();
  // also when something else ends this process in the midst of it; the programs die with us anyway
  const onExit = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', onExit);
  const programs: Tethered[] = [];
  const server = createServer();
  const consoleLog = join(folder, 'console');
  const stop = new AbortController();
  const onAbort = () => stop.abort(options.signal?.reason);
  options.signal?.addEventListener('abort', onAbort);
  const stopped = new Promise<never>((_, reject) => {
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason));
  });
  stopped.catch(() => {}); // nobody may be waiting for it yet
  const bootTimer = setTimeout(
    () => stop.abort(new BootFailure(`the guest was not ready after ${options.bootTimeoutMs / 1000} s`)),
    options.bootTimeoutMs,
  );
  const begin = performance.now();
  let socket: Socket | undefined;
  let starting: Promise<Programs> | undefined;
  const session = async () => {
    await once(server.listen(join(folder, 'port')), 'listening');
    const connected = once(server, 'connection');
    starting = startPrograms(folder, consoleLog, options, programs, stop.signal);
    const started = await starting;
    const died = started.qemu.exit().then((how) => Promise.reject(new BootFailure(how)));
    [socket] = (await Promise.race([connected, died])) as [Socket];
    died.catch(() => {}); // from here on the socket tells
    return converse(socket, started, options, stop, () => clearTimeout(bootTimer));
  };
  try {
    const { readyAt, endAt, ...end } = await Promise.race([stopped, session()]);
    return { ...end, bootMs: readyAt - begin, commandMs: endAt - readyAt, console: await readConsole(consoleLog) };
  } catch (error) {
    if (error instanceof BootFailure || error instanceof LabFailure) error.console = await readConsole(consoleLog);
    throw error;
  } finally {
    clearTimeout(bootTimer);
    options.signal?.removeEventListener('abort', onAbort);
    stop.abort(new Error('the boot is over'));
    socket?.destroy();
    server.close();
    const endAll = async () => {
      for (const program of programs.reverse()) await program.end();
    };
    await endAll();
    await starting?.catch(() => {});
    await endAll();
    await rm(folder, { recursive: true, force: true });
    process.off('exit', onExit);
  }
}

const readConsole = (file: string) => readFile(file, 'utf8').catch(() => '');

/** File servers first, then QEMU, which connects to them and to our port as it starts. What starts is put on `started` at once. */
async function startPrograms(
  folder: string,
  consoleLog: string,
  options: GuestOptions,
  started: Tethered[],
  stop: AbortSignal,
): Promise<Programs> {
  const tools = requirePackages(['qemu-system-x86', 'virtiofsd']);
  const start = async (...args: Parameters<typeof Tethered.start>) => {
    const program = await Tethered.start(...args);
    started.push(program); // before the check: what has started is always ended
    stop.throwIfAborted();
    return program;
  };
  const serve = async (name: string, source: string, readOnly: boolean) => {
    const listen = join(folder, name);
    const args = virtiofsdArguments(fileServerKind(tools.virtiofsd), source, readOnly);
    const server = await start(tools.virtiofsd, args, { log: join(folder, `${name}.log`), listen, readOnly });
    await server.listening(listen);
    return listen;
  };
  const initramfs = join(folder, 'initramfs');
  await writeFile(initramfs, await initramfsFor(options.kernel, options.swapBytes > 0));
  const rootSocket = await serve('root', '/', true);
  const shareSocket = options.share ? await serve('share', options.share, false) : undefined;
  const args = qemuArguments({
    ...options,
    image: options.kernel.image,
    initramfs,
    kernelArguments: [
      ...(options.swapBytes > 0 ? [`ACG_SWAP=${options.swapBytes}`] : []),
      ...(shareSocket ? ['ACG_SHARE=1'] : []),
      ...(options.kernel.folder ? [`ACG_MODULES="${join(options.kernel.folder, 'lib/modules')}"`] : []),
      ...options.kernelArguments,
    ],
    portSocket: join(folder, 'port'),
    rootSocket,
    ...(shareSocket && { shareSocket }),
    consoleLog,
  });
  const servers = [...started];
  return {
    qemu: await start(options.emulator ?? tools['qemu-system-x86'], args, { log: join(folder, 'qemu.log') }),
    servers,
  };
}

async function initramfsFor(kernel: LabKernel, swap: boolean): Promise<Buffer> {
  const names = kernel.modules ? [...kernel.modules.overlay, ...(swap ? kernel.modules.zram : [])] : [];
  const entries: ArchiveEntry[] = [
    { path: 'init', data: await readFile(await labProgram('guest-init')), executable: true },
    { path: 'modules' },
    { path: 'modules/order', data: Buffer.from(names.map((n) => `${n}\n`).join('')) },
  ];
  for (const name of names)
    entries.push({ path: `modules/${name}`, data: await readFile(join(kernel.folder!, 'boot-modules', name)) });
  return cpioArchive(entries);
}
