/**
 * A cpio archive in the "newc" form that the kernel unpacks as its initramfs (Documentation/driver-api/early-userspace/
 * buffer-format.rst). Pure. Files are root's; folders must be listed before what is in them.
 */
export interface ArchiveEntry {
  /** Without a leading slash. */
  path: string;
  /** Absent for a folder. */
  data?: Uint8Array;
  executable?: boolean;
}

const FOLDER = 0o040755;
const FILE = 0o100644;
const EXECUTABLE = 0o100755;

const padding = (length: number) => Buffer.alloc((4 - (length % 4)) % 4);

function entry(inode: number, mode: number, path: string, data: Uint8Array): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  // inode, mode, uid, gid, links, mtime, size, device major/minor, special device major/minor, name length, checksum
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map((n) => n.toString(16).padStart(8, '0')).join('')}`;
  const head = Buffer.concat([Buffer.from(header), name]);
  return [head, padding(head.length), Buffer.from(data), padding(data.length)];
}

export function cpioArchive(entries: readonly ArchiveEntry[]): Buffer {
  const parts = entries.flatMap(({ path, data, executable }, i) =>
    entry(i + 1, data === undefined ? FOLDER : executable ? EXECUTABLE : FILE, path, data ?? Buffer.alloc(0)),
  );
  return Buffer.concat([...parts, ...entry(0, 0, 'TRAILER!!!', Buffer.alloc(0))]);
}
