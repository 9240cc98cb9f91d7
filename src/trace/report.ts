/** What an import took, what it left out and why, and what it took although it is odd. */
export interface ImportReport {
  imported: { samples: number; calls: number; events: number };
  /** Not imported. `where` is the first place of that kind, `count` how many there were. */
  leftOut: Finding[];
  /** Imported, but worth knowing: clock jumps, calls without end, missing files. */
  notes: Finding[];
}

export interface Finding {
  where: string;
  why: string;
  count: number;
}

/** Kinds of findings kept per report; beyond that only the total is counted, so that damaged input cannot fill memory. */
const KINDS = 200;

/** Collects findings, one entry per reason. */
export class ReportBuilder {
  private readonly left = new Map<string, Finding>();
  private readonly odd = new Map<string, Finding>();
  readonly imported: ImportReport['imported'] = { samples: 0, calls: 0, events: 0 };

  leaveOut(where: string, why: string, count = 1): void {
    add(this.left, where, why, count);
  }

  note(where: string, why: string, count = 1): void {
    add(this.odd, where, why, count);
  }

  build(): ImportReport {
    return { imported: { ...this.imported }, leftOut: [...this.left.values()], notes: [...this.odd.values()] };
  }
}

function add(findings: Map<string, Finding>, where: string, why: string, count: number): void {
  const key = findings.size < KINDS || findings.has(why) ? why : 'and further kinds';
  const known = findings.get(key);
  if (known) known.count += count;
  else findings.set(key, { where, why: key, count });
}
