/** A line on stderr after two seconds and every second then, when a person is watching or not: a log keeps it as well. */
export class Progress {
  private readonly start = performance.now();
  private last = this.start + 1000;
  private count = 0;
  private readonly what: string;

  constructor(what: string) {
    this.what = what;
  }

  step(place: string): void {
    this.count++;
    const now = performance.now();
    if (now - this.start < 2000 || now - this.last < 1000) return;
    this.last = now;
    process.stderr.write(`${this.count} ${this.what}, ${((now - this.start) / 1000).toFixed(0)} s: ${place}\n`);
  }
}
