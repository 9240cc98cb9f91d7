import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Of flock(1), when there is another holder and it is not to wait. */
const HELD = 75;

/**
 * Runs `work` while holding an exclusive flock(2) on `file`, which is created. Waits for another holder; `onWait` is
 * called once when there is one. With `refuse` it does not wait: what that returns is thrown. flock(1) holds the lock for us as long as our end of its stdin is open, so the lock
 * cannot outlive this process, however it dies.
 */
export async function withLock<T>(
  file: string,
  work: () => Promise<T>,
  { onWait, refuse }: { onWait?: () => void; refuse?: () => Error } = {},
): Promise<T> {
  const how = refuse ? ['--nonblock', '--conflict-exit-code', String(HELD)] : [];
  const holder = spawn('flock', [...how, file, 'sh', '-c', 'echo locked; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const ended = once(holder, 'close');
  const notice = setTimeout(() => onWait?.(), 1000);
  try {
    await Promise.race([
      once(holder.stdout, 'data'),
      ended.then(([code, signal]) =>
        Promise.reject(refuse && code === HELD ? refuse() : new Error(`flock ${file} ended with ${signal ?? code}`)),
      ),
    ]);
    clearTimeout(notice);
    return await work();
  } finally {
    clearTimeout(notice);
    holder.stdin.end();
    await ended.catch(() => {});
  }
}
