import { calling } from './addon.ts';

/** A new pipe, both ends close-on-exec and yours to close. EMFILE: too many open files. */
export function pipe(): { read: number; write: number } {
  const [read, write] = calling('', (addon) => addon.pipe());
  return { read, write };
}
