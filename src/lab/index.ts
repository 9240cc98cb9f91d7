/** The lab: a microVM with a kernel that has everything, on the host's own root. */
export type { GuestTerminal } from './conversation.ts';
export { type Emulator, fairEmulator, isFair } from './emulator.ts';
export { LabFailure } from './failures.ts';
export { cachedKernel, findKernel, type LabKernel, listKernels } from './kernel.ts';
export { buildKernel, type KernelBuildOptions } from './kernel-build.ts';
export { readSeries } from './kernel-series.ts';
export { fetchStockKernel } from './kernel-stock.ts';
export { withLock } from './lock.ts';
export { type LabPackage, labPackages, probeOf } from './packages.ts';
export { type LabOptions, type LabResult, runInLab, SHARE_PATH } from './run.ts';
