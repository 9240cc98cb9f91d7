import { z } from 'zod';

/**
 * Names that become path components (tenant, session). Checked before any path is built: a name can never climb out of
 * the tree, and is never `cgroup.*` or another kernel file because the tree's own prefixes come before it.
 */
export const Name = z
  .string()
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/,
    'letters, digits, dot, dash, underscore; at most 64; not starting with a dot or dash',
  );

export const Priority = z.enum(['high', 'normal', 'low']);
export type Priority = z.infer<typeof Priority>;

/** What a kernel offers, weakest first (DESIGN section 2). */
export const Tier = z.enum(['cgroup', 'sched-ext', 'memcg-bpf']);
export type Tier = z.infer<typeof Tier>;

/** An id that an agent gives its call or session: anything else is refused or dropped, so that an id can go anywhere. */
export const AgentId = z
  .string()
  .regex(/^[A-Za-z0-9_.:-]{1,128}$/, 'letters, digits, dot, colon, dash, underscore; at most 128');

/** Left on a call's cgroup by whoever started its command, when that ends and no daemon is there: "WAIT_STATUS END_EPOCH_MS". */
export const EXIT_XATTR = 'user.agentcgroup.exit';
