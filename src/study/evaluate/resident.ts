/**
 * A guest whose clock counts instructions skips ahead while it waits for the host, and opening or starting a file of the host's is
 * such a wait. So what a run starts is brought into the guest's own memory before the first one, and each run notes how often
 * something still waited.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The guest's root is an overlay over the host's files: setting a file's times, even to what they are, copies it into memory, a
 * symbolic link (`-h`) too. Of a path that is the file, and whatever in the path is a link.
 */
const SCRIPT = `
bring() {
  for path; do
    [ -f "$path" ] || continue
    real=$(readlink -f "$path")
    touch -c -r "$real" "$real"
    while [ -n "$path" ]; do
      [ -h "$path" ] && touch -ch -r "$path" "$path"
      path=\${path%/*}
    done
  done
}
count=$1; shift
while [ "$count" -gt 0 ]; do
  bring "$1" $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*')
  shift; count=$((count - 1))
done
bring /bin/sh /etc/ld.so.cache
exec "$@"`;

/** `argv`, started when `programs` and the libraries they load are in memory. */
export const withResident = (programs: readonly string[], argv: readonly string[]): string[] => [
  ...['/bin/sh', '-c', SCRIPT, 'sh', String(programs.length)],
  ...programs,
  ...argv,
];

const TRACING = '/sys/kernel/tracing';

/** Counts what the guest asks of the host's file servers. `undefined` where this kernel cannot tell. */
export class HostWaits {
  readonly #instance = join(TRACING, 'instances', 'agentcgroup-evaluate');

  static begin(): HostWaits | undefined {
    if (!process.env.AGENTCGROUP_LAB || !existsSync(join(TRACING, 'events/fuse/fuse_request_send'))) return undefined;
    return new HostWaits();
  }

  private constructor() {
    if (!existsSync(this.#instance)) mkdirSync(this.#instance);
    writeFileSync(join(this.#instance, 'trace'), '');
    this.#enable('1');
  }

  /** How many since it began. */
  end(): number {
    this.#enable('0');
    const lines = readFileSync(join(this.#instance, 'trace'), 'utf8').split('\n');
    rmdirSync(this.#instance);
    return lines.filter((line) => line !== '' && !line.startsWith('#')).length;
  }

  #enable(on: '0' | '1'): void {
    writeFileSync(join(this.#instance, 'events/fuse/fuse_request_send/enable'), on);
  }
}
