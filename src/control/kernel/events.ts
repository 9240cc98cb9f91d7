import { bpf, type Ring } from './addon.ts';
import type { Descriptor } from './descriptor.ts';
import { u32, u64 } from './layout.ts';
import { PerCpuMapView } from './maps.ts';
import { AcgEvent, type Kind, kinds } from './wire.ts';
import { type Decoded, decoders } from './wire-events.ts';

/** What every event tells: when (CLOCK_MONOTONIC nanoseconds), and whose it is (cgroup ids; 0: not below one). */
export interface EventHead {
  timeNs: number;
  tenant: number;
  session: number;
  /** The call's cgroup, or the agent leaf's. */
  leaf: number;
  kind: Kind;
  pid: number;
  cpu: number;
}

export type KernelEvent = EventHead & Decoded;

/** One event out of its bytes; undefined for a type that this release does not know. */
export function decodeEvent(record: Uint8Array): KernelEvent | undefined {
  if (record.byteLength < AcgEvent.size) return undefined;
  const { type, kind, ...head } = AcgEvent.decode(record);
  const decode = decoders[type];
  return decode && { ...head, kind: kinds[kind] ?? 'none', ...decode(record) };
}

/** Where an event's type stands: what nobody wants is not decoded. */
const TYPE_AT = AcgEvent.layout.fields.find(({ name }) => name === 'type')!.offset;

/** The type's name; undefined for one that this release does not know. */
function typeOf(record: Uint8Array): KernelEvent['type'] | undefined {
  if (record.byteLength < AcgEvent.size) return undefined;
  return decoders[u32.read(new DataView(record.buffer, record.byteOffset), TYPE_AT)]?.type;
}

/** Walks a batch from the ring: u32 length, u32 zero, the record, padded to 8. */
export function* records(batch: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  for (let at = 0; at < batch.byteLength; ) {
    const length = u32.read(view, at);
    yield batch.subarray(at + 8, at + 8 + length);
    at += 8 + Math.ceil(length / 8) * 8;
  }
}

/** The map acg_lost. */
export const lostView = (map: Descriptor) => new PerCpuMapView({ name: 'acg_lost', map, key: u32, value: u64 });

/** Its counts by event type. `cgroup`: cgroups of ours that did not fit into acg_cgroups and are watched by nobody. */
export function lostCounts(lost: PerCpuMapView<number, number>): Record<string, number> {
  const counts = lost.keys().map((type) => {
    const name = type === 0 ? 'cgroup' : (decoders[type]?.type ?? `type ${type}`);
    return [name, lost.get(type)!.reduce((a, b) => a + b, 0)] as const;
  });
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

/**
 * The events of all programs, in order, on the event loop: a thread sleeps in the kernel until there are some. The ring is shared
 * and pinned: one process reads it at a time, and what was sent while nobody read is there for the next reader, as far as it fitted.
 */
export class EventStream implements Disposable {
  readonly #ring: Ring;
  readonly #lost: PerCpuMapView<number, number>;
  /** Records of types this release does not know: a newer release's programs are in the kernel. */
  unknown = 0;

  /**
   * `events` and `lost` are the maps acg_events and acg_lost. `wanted`: only these types, the others cost nothing; absent: all.
   * Keeps the process alive until closed, unless `unref`.
   */
  constructor(
    maps: { events: Descriptor; lost: Descriptor },
    receive: (event: KernelEvent) => void,
    wanted?: ReadonlySet<KernelEvent['type']>,
  ) {
    this.#lost = lostView(maps.lost);
    this.#ring = new (bpf().Ring)(maps.events.fd, (batch) => {
      for (const record of records(batch)) {
        const type = wanted && typeOf(record);
        if (type && !wanted.has(type)) continue;
        const event = decodeEvent(record);
        if (event) receive(event);
        else this.unknown++;
      }
    });
  }

  /** Events that found the ring full since the programs were loaded, by type; what was not lost is absent. See `lostCounts`. */
  lost(): Record<string, number> {
    return lostCounts(this.#lost);
  }

  /** Delivers everything that is in the ring now, before it returns. */
  drain(): void {
    this.#ring.drain();
  }

  unref(): this {
    this.#ring.unref();
    return this;
  }

  [Symbol.dispose](): void {
    this.#ring.close();
  }
}

/** Epoch milliseconds of a kernel time stamp. The two clocks are compared anew at each call: wall time may be set. */
export const epochMs = (monotonicNs: number): number =>
  Date.now() - (Number(process.hrtime.bigint()) - monotonicNs) / 1e6;
