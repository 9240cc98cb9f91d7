import { existsSync, readFileSync } from 'node:fs';
import { AcgError } from '../model/index.ts';

/**
 * A Debian package the lab needs, and a file it brings (any of several) by which to know that it is there. Debian 12 has
 * no package `virtiofsd`: there it comes with qemu-system-common, which qemu-system-x86 pulls in.
 */
export interface LabPackage {
  package: string;
  probe: string | string[];
}

/** The list, kept as plain JSON because the bootstrap, which has no dependencies yet, reads it too. */
export const labPackages: readonly LabPackage[] = JSON.parse(
  readFileSync(new URL('./packages.json', import.meta.url), 'utf8'),
);

/** The first of a package's probe files that exists, undefined when none does. */
export function probeOf(name: string): string | undefined {
  const found = labPackages.find((p) => p.package === name);
  if (!found) throw new Error(`${name} is not in packages.json`);
  return [found.probe].flat().find((file) => existsSync(file));
}

/** Throws ACG_LAB_PACKAGE with every package of `names` (default: all) that is missing. Else their probe files, by name. */
export function requirePackages<const N extends string>(names: readonly N[]): Record<N, string> {
  const found = names.map((name) => [name, probeOf(name)] as const);
  const missing = found.filter(([, file]) => file === undefined).map(([name]) => name);
  if (missing.length > 0) throw new AcgError('ACG_LAB_PACKAGE', `apt-get install ${missing.join(' ')}`);
  return Object.fromEntries(found) as Record<N, string>;
}
