import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { AcgError } from '../model/index.ts';
import {
  type CommandEnd,
  encodeFrame,
  encodeJob,
  type Frame,
  FrameReader,
  type Job,
  parseExitReport,
} from './frames.ts';
import { type ArchiveEntry, cpioArchive } from './initramfs.ts';
import type { LabKernel } from './kernel.ts';
import { type Accelerator, fileServerKind, qemuArguments, virtiofsdArguments } from './machine.ts';
import { requirePackages } from './packages.ts';
import { labProgram } from './programs.ts';
import { makeRunFolder } from './run-folder.ts';
import { Tethered } from './tethered.ts';

/** Talks to the terminal of a running command. */
export interface GuestTerminal {
  input(data: Buffer): void;
  resize(rows: number, columns: number): void;
}

export interface GuestOptions {
  kernel: LabKernel;
  accelerator: Accelerator;
  deterministic: boolean;
  memoryBytes: number;
  cpus: number;
  swapBytes: number;
  /** A folder of the host that the guest may write, absolute. */
  share?: string | undefined;
  kernelArguments: readonly string[];
  job: Omit<Job, 'clockMs'>;
  /** From the start of QEMU until the guest's init is ready. */
  bootTimeoutMs: number;
  /** From the start of the command to its end; 0: no limit. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  onStdout: (chunk: Buffer) => void | Promise<void>;
  onStderr: (chunk: Buffer) => void | Promise<void>;
  onNotice: (text: string) => void;
  onTerminal?: ((terminal: GuestTerminal) => void) | undefined;
}

export interface GuestEnd extends CommandEnd {
  /** `uname -r` of the guest. */
  guestKernel: string;
  /** Until the guest was ready, and of the command alone. Host's clock. */
  bootMs: number;
  commandMs: number;
  console: string;
}

/** The guest did not come up to where it could run the command: trying again is safe. */
export class BootFailure extends Error {
  override name = 'BootFailure';
  /** The kernel's console, set before the failure leaves `runGuest`. */
  console = '';
}

/**
 * One boot: starts file servers and QEMU, runs the job, ends them all, whatever happens. Throws BootFailure before the
 * command has started; afterwards ACG_LAB_DIED or ACG_LAB_TIMEOUT; the signal's reason when aborted.
 */
export async function runGuest(options: GuestOptions): Promise<GuestEnd> {
  options.signal?.throwIfAborted();
  const folder = await makeRunFolder();
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
  let socket: Socket | undefined;
  let starting: Promise<Tethered> | undefined;
  const session = async () => {
    const begin = performance.now();
    server.listen(join(folder, 'port'));
    const connected = once(server, 'connection');
    starting = startPrograms(folder, consoleLog, options, programs, stop.signal);
    const qemu = await starting;
    const died = qemu.exit().then((how) => Promise.reject(new BootFailure(how)));
    [socket] = (await Promise.race([connected, died])) as [Socket];
    died.catch(() => {}); // from here on the socket tells
    return converse(socket, options, begin, stop, () => clearTimeout(bootTimer), qemu);
  };
  try {
    const end = await Promise.race([stopped, session()]);
    return { ...end, console: await readConsole(consoleLog) };
  } catch (error) {
    if (error instanceof BootFailure) error.console = await readConsole(consoleLog);
    if (error instanceof LabFailure) error.console = await readConsole(consoleLog);
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
  }
}

/** A command of the lab that did not come to its own end: ACG_LAB_DIED, ACG_LAB_TIMEOUT or ACG_LAB_BOOT, with the kernel's console. */
export class LabFailure extends AcgError {
  override name = 'LabFailure';
  console = '';
}

const readConsole = (file: string) => readFile(file, 'utf8').catch(() => '');

/** File servers first, then QEMU, which connects to them and to our port as it starts. Returns QEMU. */
async function startPrograms(
  folder: string,
  consoleLog: string,
  options: GuestOptions,
  started: Tethered[],
  stop: AbortSignal,
): Promise<Tethered> {
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
      ...(options.kernel.folder ? [`ACG_MODULES=${join(options.kernel.folder, 'lib/modules')}`] : []),
      ...options.kernelArguments,
    ],
    portSocket: join(folder, 'port'),
    rootSocket,
    ...(shareSocket && { shareSocket }),
    consoleLog,
  });
  return start(tools['qemu-system-x86'], args, { log: join(folder, 'qemu.log') });
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

/** The conversation over the port, from the guest's "ready" to the command's end. */
async function converse(
  socket: Socket,
  options: GuestOptions,
  begin: number,
  stop: AbortController,
  onReady: () => void,
  qemu: Tethered,
): Promise<Omit<GuestEnd, 'console'>> {
  let ready: { guestKernel: string; at: number } | undefined;
  let commandTimer: NodeJS.Timeout | undefined;
  const start = (guestKernel: string) => {
    onReady();
    ready = { guestKernel, at: performance.now() };
    socket.write(encodeFrame('S', encodeJob({ ...options.job, clockMs: Date.now() })));
    options.onTerminal?.({
      input: (data) => socket.write(encodeFrame('I', data)),
      resize: (rows, columns) => socket.write(encodeFrame('W', `${rows} ${columns}`)),
    });
    if (options.timeoutMs > 0)
      commandTimer = setTimeout(
        () => stop.abort(new LabFailure('ACG_LAB_TIMEOUT', `still running after ${options.timeoutMs / 1000} s`)),
        options.timeoutMs,
      );
  };
  const take = async ({ type, payload }: Frame): Promise<CommandEnd | undefined> => {
    switch (type) {
      case 'R':
        return void start(payload.toString());
      case 'O':
        return void (await options.onStdout(payload));
      case 'E':
        return void (await options.onStderr(payload));
      case 'N':
        return options.onNotice(payload.toString()) as undefined;
      case 'X':
        return parseExitReport(payload.toString());
      case 'F':
        throw ready ? new LabFailure('ACG_LAB_DIED', payload.toString()) : new BootFailure(payload.toString());
      default:
        throw new BootFailure(`unknown frame ${JSON.stringify(type)} from the guest`);
    }
  };
  const reader = new FrameReader();
  try {
    for await (const chunk of socket)
      for (const frame of reader.push(chunk)) {
        const end = await take(frame);
        if (end)
          return {
            ...end,
            guestKernel: ready!.guestKernel,
            bootMs: ready!.at - begin,
            commandMs: performance.now() - ready!.at,
          };
      }
    const how = await qemu.exit();
    throw ready ? new LabFailure('ACG_LAB_DIED', how) : new BootFailure(how);
  } finally {
    clearTimeout(commandTimer);
  }
}
