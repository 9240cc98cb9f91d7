import { calling } from './addon.ts';

/** A file by its path or by an open descriptor (not one opened with O_PATH). */
export type Place = string | number;

/** The value of an extended attribute, or undefined when there is none of that name. */
export function getXattr(place: Place, name: string): Buffer | undefined {
  return calling(`${place} ${name}`, (addon) => addon.getXattr(place, name)) ?? undefined;
}

/** Sets it, new or not. On a cgroup directory the kernel takes at most 128 `user.*` attributes, 128 KiB in all (ENOSPC). */
export function setXattr(place: Place, name: string, value: string | Uint8Array): void {
  calling(`${place} ${name}`, (addon) => addon.setXattr(place, name, Buffer.from(value)));
}

export function listXattr(place: Place): string[] {
  return calling(`${place}`, (addon) => addon.listXattr(place));
}

/** Whether there was one to remove. */
export function removeXattr(place: Place, name: string): boolean {
  return calling(`${place} ${name}`, (addon) => addon.removeXattr(place, name));
}
