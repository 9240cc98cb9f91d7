import type { Socket } from 'node:net';
import { AcgError } from '../../model/index.ts';
import { calling, SyscallError } from './addon.ts';

/** The descriptor under a connected net.Socket. It is the socket's: do not close it, do not keep it. */
export function socketFd(socket: Socket): number {
  const fd = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd;
  if (fd === undefined || fd < 0) throw new AcgError('ACG_PROTOCOL', 'the socket is closed');
  return fd;
}

/** Who connected, as the kernel noted it at that moment. A pid of 0 is a process of a pid namespace we cannot see. */
export function peer(socket: Socket): { pid: number; uid: number; gid: number } {
  const [pid, uid, gid] = calling('SO_PEERCRED', (addon) => addon.peer(socketFd(socket)));
  return { pid, uid, gid };
}

/** A pidfd of the peer, free of pid reuse; undefined before Linux 6.5. ESRCH/EINVAL: it has ended. Close it. */
export function peerPidfd(socket: Socket): number | undefined {
  try {
    return calling('SO_PEERPIDFD', (addon) => addon.peerPidfd(socketFd(socket)));
  } catch (error) {
    if (error instanceof SyscallError && error.errno === 'ENOPROTOOPT') return undefined;
    throw error;
  }
}

/**
 * Sends bytes with a descriptor in one sendmsg; the receiver gets a duplicate. It goes past Node's own write queue, so the
 * socket must have nothing waiting there; a peer that does not read (EAGAIN, or a part only) is an error, never a wait.
 */
export function sendWithFd(socket: Socket, bytes: Uint8Array, fd: number): void {
  if (socket.writableLength > 0) throw new AcgError('ACG_PROTOCOL', 'earlier messages are still waiting');
  const sent = calling('SCM_RIGHTS', (addon) => addon.sendWithFd(socketFd(socket), bytes, fd));
  if (sent < bytes.length) throw new AcgError('ACG_PROTOCOL', 'the peer does not read');
}
