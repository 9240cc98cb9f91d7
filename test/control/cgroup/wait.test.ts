import { expect, test, vi } from 'vitest';
import { until } from '../../../src/control/cgroup/wait.ts';

const refused = vi.hoisted(() => ({ code: 'ENOSPC' }));
vi.mock('node:fs', async (original) => ({
  ...(await original<typeof import('node:fs')>()),
  watch: () => {
    throw Object.assign(new Error('no watch'), refused);
  },
}));

test('where the machine has no more watches, what is waited for is looked at instead', async () => {
  for (const code of ['ENOSPC', 'EMFILE']) {
    refused.code = code;
    let value: number | undefined;
    setTimeout(() => {
      value = 7;
    }, 100);
    expect(await until('/some/file', () => value)).toBe(7);
    await expect(until('/some/file', () => undefined, AbortSignal.timeout(100))).rejects.toThrow('timeout');
  }
});

test('what cannot be watched for another reason is an error', async () => {
  refused.code = 'EACCES';
  await expect(until('/some/file', () => undefined)).rejects.toMatchObject({
    code: 'ACG_CGROUP_FILE',
    errno: 'EACCES',
  });
});
