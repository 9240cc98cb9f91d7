import { calling } from './addon.ts';
import { signalNumber } from './signals.ts';

/** A descriptor for a running process that stays its own when the pid is used again. Close it. ESRCH: no such process. */
export function pidfdOpen(pid: number): number {
  return calling(`process ${pid}`, (addon) => addon.pidfdOpen(pid));
}

/** Sends a signal (0: only checks). ESRCH: it has ended and been reaped. */
export function pidfdSendSignal(pidfd: number, signal: NodeJS.Signals | number): void {
  const number = typeof signal === 'number' ? signal : signalNumber(signal);
  calling(`signal ${signal}`, (addon) => addon.pidfdSendSignal(pidfd, number));
}
