import { expect, test } from 'vitest';
import { isFair } from '../../src/lab/emulator.ts';

test('CPUs of a guest take turns evenly from QEMU 8.1 on', () => {
  expect(['7.2.22', '8.0.5', '8.1.0', '8.2', '10.0.2'].map((version) => isFair({ version }))).toEqual([
    false,
    false,
    true,
    true,
    true,
  ]);
});
