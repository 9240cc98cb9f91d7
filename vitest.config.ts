import { defineConfig } from 'vitest/config';

// Tests with real processes and real kernels get a second try, which the report shows: a loaded machine is no failure of ours.
// Projects: what needs nothing; what needs the machine's own cgroup2 mount and native code; what runs real agents; what boots
// a kernel; and the BPF programs alone, without a second try.

export default defineConfig({
  test: {
    reporters: ['default'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/native/**', 'test/lab/**', 'test/agents/**'],
        },
      },
      {
        extends: true,
        test: {
          name: 'native',
          include: ['test/native/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          retry: 1,
        },
      },
      {
        extends: true,
        test: { name: 'agents', include: ['test/agents/**/*.test.ts'], fileParallelism: false },
      },
      {
        extends: true,
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
          retry: 1,
        },
      },
      {
        extends: true,
        test: {
          name: 'kernel',
          include: ['test/lab/kernel/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
        },
      },
    ],
  },
});
