import { cachedKernel } from '../../../src/lab/index.ts';

/** The kernel for tests of memcg_bpf_ops. Stock kernels have none, so unless another one is asked for it is ours. */
export const kernel = process.env.AGENTCGROUP_TEST_KERNEL ?? 'memcg-bpf';

/** Whether it is in the cache; building it takes longer than all the tests. */
export const built = kernel.startsWith('memcg-bpf') && (await cachedKernel(kernel)) !== undefined;

/** With lockdep and KASAN the kernel is right, not fast. */
export const debug = kernel === 'memcg-bpf-debug';

if (!built && kernel === 'memcg-bpf')
  console.warn('no memcg-bpf kernel: its tests are skipped. `npx agentcgroup lab kernel build` makes one');

/** The debug kernel takes its time, the more so where there is no KVM, and its shadow memory an eighth of the guest's. */
export const patience = debug ? { bootTimeoutMs: 400_000, timeoutMs: 1_500_000, memoryBytes: 3 * 2 ** 30 } : {};
