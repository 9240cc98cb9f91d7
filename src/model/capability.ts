import { z } from 'zod';

/** One thing this machine can do or not, found out by doing it. `unknown`: it could not be tried, which is not a no. */
export const Capability = z.object({
  /** Short and stable: programs look rows up by it. */
  name: z.string(),
  state: z.enum(['yes', 'no', 'unknown']),
  /** What was found; for `no` and `unknown`, why. */
  detail: z.string().optional(),
  /** How to get it, in one line. */
  remedy: z.string().optional(),
});
export type Capability = z.infer<typeof Capability>;

const present = (detail?: string, remedy?: string) => ({ ...(detail && { detail }), ...(remedy && { remedy }) });

export const yes = (name: string, detail?: string): Capability => ({ name, state: 'yes', ...present(detail) });
/** `why` it is missing, and in one line how to get it. */
export const no = (name: string, why: string, remedy?: string): Capability => ({
  name,
  state: 'no',
  ...present(why, remedy),
});
/** It could not be tried: `why` not. */
export const unknown = (name: string, why: string, remedy?: string): Capability => ({
  name,
  state: 'unknown',
  ...present(why, remedy),
});
