/**
 * What runs in the kernel for us: BPF programs loaded, pinned and found again, their maps as typed views, their events on the
 * event loop, and what this kernel can do. The only room that touches native/bpf.
 */
export { type KernelCapability, kernelCapabilities, probeKernel } from './capability.ts';
export type { CgroupTarget } from './cgroup-attach.ts';
export { Descriptor } from './descriptor.ts';
export { type EventHead, EventStream, epochMs, type KernelEvent } from './events.ts';
export {
  Governor,
  type GovernorCounts,
  type GrowthLimit,
  type GrowthSeen,
  type HeadroomGuard,
  type HeadroomSeen,
} from './governor.ts';
export { bits64, bytes, type Codec, id, type Struct, s64, struct, text, u32, u64, type ValueOf } from './layout.ts';
export { loadProgram } from './load.ts';
export { MapView, PerCpuMapView, SettingsView, sum } from './maps.ts';
export { hasMemcgOps, Memory, type MemoryNeed } from './memory.ts';
export { Monitor, type Place, type Usage } from './monitor.ts';
export { PaperPolicy, type PaperSettings } from './paper.ts';
export { defaultPinRoot, isKept, keepPinned } from './pins.ts';
export { missingPrivilege } from './privilege.ts';
export type { LoadedProgram } from './program.ts';
export { Scheduler, type SchedulerExit, type SchedulerMode, schedExtState } from './scheduler.ts';
export type { Hook, LoadOptions, ProgramSpec } from './spec.ts';
export { type BpfStatus, bpfStatus, type PinnedMap, type PinnedProgram, unloadAll } from './status.ts';
export { AcgCgroup, AcgEvent, type AcgScheduler, type Kind } from './wire.ts';
export type {
  ExecEvent,
  ExitEvent,
  ForkEvent,
  HeadroomEvent,
  OomEvent,
  OutsideEvent,
  SampleEvent,
} from './wire-events.ts';
