import { bpf } from './addon.ts';

/** A descriptor of ours: closed once, by `close`, `using` or never twice. */
export class Descriptor implements Disposable {
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get fd(): number {
    if (this.#fd < 0) throw new Error('the BPF descriptor is closed');
    return this.#fd;
  }

  close(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    bpf().close(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
