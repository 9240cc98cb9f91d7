import { readFileSync } from 'node:fs';

/** linux/capability.h */
const CAP_SYS_ADMIN = 21n;
const CAP_PERFMON = 38n;
const CAP_BPF = 39n;

/** What this process lacks to load our programs, in words; undefined when it has all. Reads /proc/self/status. */
export function missingPrivilege(status = readFileSync('/proc/self/status', 'utf8')): string | undefined {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  const has = (cap: bigint) => (effective >> cap) & 1n;
  if (has(CAP_SYS_ADMIN)) return undefined;
  const missing = [has(CAP_BPF) ? '' : 'CAP_BPF', has(CAP_PERFMON) ? '' : 'CAP_PERFMON'].filter(Boolean);
  return missing.length > 0 ? `this process has no ${missing.join(' and no ')} (run as root)` : undefined;
}
