import { createServer, type Server } from 'node:net';
import { AcgError } from '../../model/index.ts';

/**
 * Makes this process the only one that holds `what`, until it closes the returned server or dies: an abstract Unix socket
 * needs no file and never goes stale. Throws ACG_DAEMON_RUNNING.
 */
export async function holdAlone(what: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? new AcgError('ACG_DAEMON_RUNNING', what) : error),
    );
    // an abstract address holds 107 bytes: a long path is cut from the left, where paths differ least
    server.listen(`\0agentcgroup:${what.slice(-90)}`, resolve);
  });
  server.unref();
  return server;
}
