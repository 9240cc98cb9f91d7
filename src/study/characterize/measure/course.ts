import { seeded } from '../../statistics/index.ts';

/** Memory and CPU of one session over time, for simulations: seconds since its first sample, MB, % of one core. */
export interface Course {
  set: string;
  task: string;
  t: number[];
  mb: number[];
  /** What bands per call would set aside. */
  band: number[];
  cpu: (number | null)[];
}

/** A fair sample of a stream: every item offered has the same chance to be among the `size` kept (Vitter's algorithm R). */
export class Reservoir<T> {
  readonly items: T[] = [];
  private readonly size: number;
  private readonly random: () => number;
  private offered = 0;

  constructor(size: number, seed: number) {
    this.size = size;
    this.random = seeded(seed);
  }

  offer(item: T): void {
    this.offered++;
    if (this.items.length < this.size) this.items.push(item);
    else {
      const i = Math.floor(this.random() * this.offered);
      if (i < this.size) this.items[i] = item;
    }
  }
}
