import { AcgError, formatSize, parseSize } from '../model/index.ts';

/** A size given for `flag`, in bytes. Nothing runs in less than a MiB: who writes 512 has left out a unit. Throws ACG_SIZE, ACG_USAGE. */
export function memoryOf(text: string, flag: string): number {
  const bytes = parseSize(text);
  if (bytes < 2 ** 20)
    throw new AcgError('ACG_USAGE', `${flag} ${text} is ${formatSize(bytes)}: give it with its unit, as in 512m or 2G`);
  return bytes;
}
