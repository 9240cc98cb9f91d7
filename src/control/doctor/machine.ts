import { accessSync, closeSync, constants, existsSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { type Capability, type Health, no, tierWords, unknown, yes } from '../../model/index.ts';

/** Settings that change how memory behaves under limits. */
export function memoryRows(): Capability[] {
  return [
    swapRow(readFileSync('/proc/swaps', 'utf8')),
    hugePagesRow(text('/sys/kernel/mm/transparent_hugepage/enabled')),
  ];
}

/** From /proc/swaps: a heading, then one line per swap area with its size in KiB. */
export function swapRow(procSwaps: string): Capability {
  const areas = procSwaps
    .split('\n')
    .slice(1)
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(/\s+/));
  if (areas.length === 0)
    return no(
      'swap',
      'none: only page cache can be reclaimed, and a call above memory.high crawls',
      'zram or a swap file (swapon)',
    );
  return yes('swap', areas.map(([name, , kib]) => `${name} ${Math.round(Number(kib) / 1024)} MiB`).join(', '));
}

/** The setting in brackets, as in `always [madvise] never`. `always` makes one touch of memory charge 2 MiB. */
export function hugePagesRow(enabled: string | undefined): Capability {
  const name = 'transparent huge pages';
  if (enabled === undefined) return no(name, 'not in this kernel');
  const setting = /\[(\w+)\]/.exec(enabled)?.[1];
  if (setting === undefined) return unknown(name, `unexpected setting: ${enabled.slice(0, 80)}`);
  if (setting === 'always') return yes(name, 'always: memory is charged 2 MiB at a time; madvise measures finer');
  return setting === 'never' ? no(name, 'switched off (nothing here needs them)') : yes(name, setting);
}

/** What `agentcgroup lab` needs; nothing else does. */
export function labRows(path = process.env.PATH ?? ''): Capability[] {
  const qemu = `qemu-system-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}`;
  return [
    kvmRow(),
    programRow(qemu, path.split(delimiter), 'apt-get install --no-install-recommends qemu-system-x86'),
    programRow(
      'virtiofsd',
      ['/usr/libexec', '/usr/lib/qemu', ...path.split(delimiter)],
      'apt-get install virtiofsd (Debian 12: in qemu-system-common)',
    ),
  ];
}

/** That the device opens does not say that it runs a stock kernel: only a boot does, and the lab tries one. */
function kvmRow(): Capability {
  const slow = 'the lab works without it, slower';
  if (!existsSync('/dev/kvm')) return no('KVM', 'no /dev/kvm', `switch on (nested) virtualisation; ${slow}`);
  try {
    closeSync(openSync('/dev/kvm', constants.O_RDWR));
    return unknown('KVM', '/dev/kvm opens; a first boot of the lab tells whether it runs a kernel');
  } catch (error) {
    return no(
      'KVM',
      `/dev/kvm: ${(error as NodeJS.ErrnoException).code}`,
      `run as root or join the group kvm; ${slow}`,
    );
  }
}

function programRow(name: string, folders: string[], remedy: string): Capability {
  const found = folders
    .filter(Boolean)
    .map((folder) => join(folder, name))
    .find(executable);
  return found ? yes(name, found) : no(name, `not in ${folders.join(delimiter)}`, remedy);
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Is Node new enough, and does a daemon listen on its socket? */
export async function ownRows(daemonSocket: string, nodeVersion = process.versions.node): Promise<Capability[]> {
  const node =
    Number.parseInt(nodeVersion, 10) >= 24
      ? yes('Node.js', nodeVersion)
      : no('Node.js', nodeVersion, 'Node.js 24 or newer');
  return [node, await daemonRow(daemonSocket)];
}

function daemonRow(path: string): Promise<Capability> {
  const name = 'daemon running';
  const start = 'agentcgroup daemon (`agentcgroup run` starts one by itself)';
  return new Promise((resolve) => {
    const socket = connect({ path });
    const end = (row: Capability) => {
      socket.destroy();
      resolve(row);
    };
    socket.setTimeout(2_000, () => end(unknown(name, `${path} does not answer`)));
    let answer = '';
    const tell = () => end(yes(name, [path, healthWords(answer)].filter(Boolean).join(': ')));
    socket.on('connect', () => {
      socket.write('GET /v1/health HTTP/1.0\r\n\r\n');
      socket.removeAllListeners('timeout').setTimeout(500, tell);
    });
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('end', tell);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') end(no(name, `no ${path}`, start));
      else if (error.code === 'ECONNREFUSED') end(no(name, `${path} is left over from a dead daemon`, start));
      else end(unknown(name, `${path}: ${error.code ?? error.message}`));
    });
  });
}

/** From the answer to a question for health; empty when it is none. */
function healthWords(answer: string): string {
  try {
    return tierWords(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as Health);
  } catch {
    return '';
  }
}

const text = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined);
