import { expect, test } from 'vitest';
import { missingPrivilege } from '../../../src/control/kernel/privilege.ts';

const status = (mask: bigint) => `Name:\tnode\nCapEff:\t${mask.toString(16).padStart(16, '0')}\nSeccomp:\t0\n`;
const bit = (n: bigint) => 1n << n;

test.each([
  ['root', bit(41n) - 1n, undefined],
  ['the two of them', bit(38n) | bit(39n), undefined],
  ['CAP_SYS_ADMIN, which implies them', bit(21n), undefined],
  ['nobody', 0n, 'this process has no CAP_BPF and no CAP_PERFMON (run as root)'],
  ['CAP_BPF alone', bit(39n), 'this process has no CAP_PERFMON (run as root)'],
])('%s', (_, mask, words) => {
  expect(missingPrivilege(status(mask))).toBe(words);
});
