import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CallRecord, SampleRecord } from '../../../src/model/index.ts';
import { inSourceOrder, runsOf, testRepeats } from '../../../src/study/characterize/measure/calls.ts';
import { commandClass, paperClass } from '../../../src/study/characterize/measure/classes.ts';
import { Reservoir } from '../../../src/study/characterize/measure/course.ts';
import { covered, firstAfter, firstFrom, holds, merge } from '../../../src/study/characterize/measure/intervals.ts';
import {
  bandOf,
  bursts,
  earlyMean,
  held,
  idleLevel,
  longestRun,
  timeMean,
} from '../../../src/study/characterize/measure/memory.ts';
import { intervalCpu, lifetimeAverageFalls, seriesOf } from '../../../src/study/characterize/measure/series.ts';
import { defaultThresholds, measureSession } from '../../../src/study/characterize/measure/session.ts';
import { podmanText, slicedMegabytes } from '../../../src/study/characterize/measure/sizes.ts';
import { pearson, quantile, seeded } from '../../../src/study/statistics/index.ts';

const call = (start: number, end: number, extra: Partial<CallRecord> = {}): CallRecord => ({
  type: 'call',
  call: `c${start}`,
  session: 's',
  tenant: 't',
  tool: 'Bash',
  start,
  end,
  ...extra,
});
const sample = (t: number, extra: Partial<SampleRecord> = {}): SampleRecord => ({
  type: 'sample',
  session: 's',
  t,
  memoryBytes: 0,
  ...extra,
});

describe('intervals', () => {
  const interval = fc
    .tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 30 }))
    .map(([start, length]) => ({ start, end: start + length }));

  test('overlaps count once', () => {
    expect(
      covered([
        { start: 0, end: 10 },
        { start: 5, end: 12 },
        { start: 20, end: 21 },
      ]),
    ).toBe(13);
    expect(covered([])).toBe(0);
  });

  test('the union is never longer than the sum nor shorter than the longest, and holds exactly what its parts hold', () => {
    fc.assert(
      fc.property(fc.array(interval, { maxLength: 12 }), fc.integer({ min: -5, max: 140 }), (list, t) => {
        const sum = list.reduce((s, i) => s + i.end - i.start, 0);
        const longest = Math.max(0, ...list.map((i) => i.end - i.start));
        const union = covered(list);
        expect(union).toBeLessThanOrEqual(sum);
        expect(union).toBeGreaterThanOrEqual(longest);
        expect(holds(merge(list), t)).toBe(list.some((i) => i.start <= t && t <= i.end));
      }),
    );
  });

  test('places in a rising list', () => {
    expect([firstFrom([1, 3, 3, 5], 3), firstAfter([1, 3, 3, 5], 3), firstFrom([1], 2), firstFrom([], 0)]).toEqual([
      1, 3, 1, 0,
    ]);
  });
});

describe("the authors' sizes", () => {
  test.each([
    ['195.7MB', 195],
    ['185MB', 18],
    ['1.862GB', 1.86 * 1024],
    ['2GB', 0],
    ['0B', 0],
    ['12.5kB', 0],
  ])('%s is read as %s', (text, mb) => expect(slicedMegabytes(text)).toBeCloseTo(mb, 9));

  test('the text podman printed is recovered from the bytes', () => {
    expect([185.3e6, 185e6, 1.862e9, 0, 999.9e6].map(podmanText)).toEqual([
      '185.3MB',
      '185MB',
      '1.862GB',
      '0B',
      '999.9MB',
    ]);
  });
});

describe('CPU', () => {
  test('a lifetime average is undone: constant work gives its constant rate, a late burst shows at full height', () => {
    // 0.2 s before the first sample the container started; 10 % for 10 s, then one second at 100 %
    const work = (age: number) => (age <= 10.2 ? 0.1 * age : 0.1 * 10.2 + (age - 10.2));
    const samples = Array.from({ length: 12 }, (_, i) =>
      sample(i * 1000, { cpuLifetimePercent: (100 * work(i + 0.2)) / (i + 0.2) }),
    );
    const rates = intervalCpu(samples);
    expect(rates[0]).toBeNull();
    for (const r of rates.slice(1, 11)) expect(r).toBeCloseTo(10, 6);
    expect(rates[11]).toBeCloseTo(100, 6);
  });

  test('counters win over averages, and a container that has gone has no rate', () => {
    const rates = intervalCpu([
      sample(0, { cpuUsec: 0, cpuLifetimePercent: 50 }),
      sample(1000, { cpuUsec: 250_000, cpuLifetimePercent: 50 }),
      sample(2000, { gone: true, cpuLifetimePercent: 0 }),
    ]);
    expect(rates).toEqual([null, 25, null]);
  });

  test('rates cannot pass for lifetime averages', () => {
    const average = seriesOf(
      Array.from({ length: 50 }, (_, i) => sample(i * 1000, { cpuLifetimePercent: 100 / (i + 1) })),
    );
    const rate = seriesOf(
      Array.from({ length: 50 }, (_, i) => sample(i * 1000, { cpuLifetimePercent: i % 2 ? 1 : 90 })),
    );
    expect(lifetimeAverageFalls(average)).toBe(0);
    expect(lifetimeAverageFalls(rate)).toBeGreaterThan(20);
  });

  test('samples of one call or of the agent alone are not the session', () => {
    expect(
      seriesOf([
        sample(0),
        sample(1, { scope: 'call', call: 'c' }),
        sample(2, { scope: 'agent' }),
        sample(3, { scope: 'session' }),
      ]).t,
    ).toEqual([0, 3]);
  });
});

describe('memory', () => {
  const memory = { t: [0, 1, 2, 3, 4, 5], mb: [10, 10, 110, 210, 10, 10] };

  test('a burst: its length, height and rise', () => {
    expect(bursts(memory, 100, 10)).toEqual([
      { samples: 2, length_s: 2, height_mb: 200, rise_s: 2, first: 2, last: 3 },
    ]);
    expect(bursts({ t: [0, 1], mb: [5, 5] }, 100, 5)).toEqual([]);
  });

  test('every sample over the threshold is in one burst, none else', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 40 }), (mb) => {
        const found = bursts({ t: mb.map((_, i) => i), mb }, 5, 0);
        expect(found.reduce((n, b) => n + b.samples, 0)).toBe(mb.filter((v) => v > 5).length);
        for (const b of found) expect(mb[b.first - 1] ?? 0).toBeLessThanOrEqual(5);
      }),
    );
  });

  test('means: by sample and by time', () => {
    expect(timeMean({ t: [0, 1, 11], mb: [100, 0, 0] })).toBeCloseTo(100 / 11, 9);
    expect(timeMean({ t: [], mb: [] })).toBeNull();
    expect(earlyMean(Array.from({ length: 40 }, (_, i) => (i === 0 ? 1 : 180)))).toBe(180);
  });

  test('idle is the level outside calls', () => {
    expect(idleLevel([200, 900, 210, 205], [false, true, false, false])).toBe(205);
  });

  test('a band per stretch covers the use and is never above the peak', () => {
    expect(bandOf([1, 5, 2, 2, 3], [0, 0, 0, 1, 1])).toEqual([5, 5, 5, 3, 3]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 99 }), fc.integer({ min: 0, max: 1 })), { minLength: 1 }),
        (rows) => {
          const mb = rows.map(([v]) => v);
          let stretch = 0;
          const stretches = rows.map(([, step]) => (stretch += step));
          const band = bandOf(mb, stretches);
          band.forEach((b, i) => {
            expect(b).toBeGreaterThanOrEqual(mb[i]!);
            expect(b).toBeLessThanOrEqual(Math.max(...mb));
          });
        },
      ),
    );
    expect(held([0, 2, 3], [1, 4, 4])).toBe(12);
    expect(longestRun([1, 8, 9, 1, 8], 8)).toBe(2);
  });
});

describe('commands', () => {
  test.each([
    ['cd /testbed && python -m pytest tests/test_x.py -x', 'tests'],
    ['ls tests/pytest.ini', 'files'],
    ['grep -rn "unittest" src | head', 'text'],
    ['PYTHONPATH=. timeout 60 tox -e py311', 'tests'],
    ['pip install -e . && git status', 'install'],
    ['git log --oneline -5', 'git'],
    ['python3 -c "import pytest; print(1)"', 'script'],
    ["cat > run_tests.sh <<'EOF'\npytest\nEOF", 'text'],
    ['npm test', 'tests'],
    ['npm run build', 'build'],
    ['source venv/bin/activate', 'shell'],
    ['/usr/bin/node server.js', 'script'],
    ['uv run pytest', 'tests'],
    ['./configure-something', 'other'],
    ['', 'other'],
  ])('%s is %s', (command, name) => expect(commandClass(command)).toBe(name));

  test('the paper looks for words anywhere, in two orders that differ', () => {
    expect(paperClass('ls tests/pytest.ini', 'time')).toBe('Test Execution');
    expect(paperClass('find . -name x -exec python -c "1" ;', 'time')).toBe('File Exploration');
    expect(paperClass('find . -name x -exec python -c "1" ;', 'spike')).toBe('Python Snippet');
    expect(paperClass('true', 'time')).toBe('Other');
  });

  test('any command has a class, at once', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (s) => {
        expect(commandClass(s)).toMatch(/^[a-z]+$/);
      }),
    );
    expect(commandClass(`${'a '.repeat(100_000)}"${"'".repeat(9999)}`)).toBe('other');
  });
});

describe('retries', () => {
  const run = (...commands: string[]) => commands.map((command, i) => call(i * 10, i * 10 + 5, { command, seq: i }));

  test('three in a row', () => {
    expect(runsOf([1, 1, 0, 1, 1, 1, 0, 1], (x) => x === 1).map((r) => r.length)).toEqual([3]);
  });

  test('the same test three times, apart and in a row', () => {
    expect(testRepeats(run('pytest a', 'ls', 'pytest  a', 'ls', 'pytest a '))).toEqual({
      inRowSame: false,
      inRow: false,
      same3: true,
      three: true,
      repeat_s: 0.01,
    });
    expect(testRepeats(run('pytest a', 'pytest a', 'pytest a'))).toMatchObject({ inRowSame: true, inRow: true });
    expect(testRepeats(run('pytest a', 'pytest b', 'pytest c'))).toMatchObject({
      inRowSame: false,
      inRow: true,
      same3: false,
      repeat_s: 0,
    });
  });

  test('the order of the source wins over the order of time', () => {
    expect(inSourceOrder([call(5, 6, { seq: 0 }), call(1, 2, { seq: 1 })]).map((c) => c.start)).toEqual([5, 1]);
  });
});

describe('a session', () => {
  test('may be as long as it likes', () => {
    const samples = Array.from({ length: 300_000 }, (_, i) =>
      sample(i * 100, { memoryBytes: (i % 1000) * 1e6, cpuUsec: i * 1000 }),
    );
    const measured = measureSession(
      {
        session: { type: 'session', version: 1, session: 's', tenant: 't', source: 'record', start: 0 },
        samples,
        calls: [],
        events: [],
        path: 'x',
        report: { imported: { samples: 0, calls: 0, events: 0 }, leftOut: [], notes: [] },
      },
      { id: 0, set: 'a', thresholds: defaultThresholds, filter: undefined },
    );
    expect(measured.task.mem_peak_mb).toBe(999);
    expect(measured.samples).toHaveLength(300_000);
  });
});

describe('numbers', () => {
  test('quantiles interpolate as NumPy does', () => {
    expect(quantile([4, 1, 3, 2], 0.95)).toBeCloseTo(3.85, 9);
    expect(quantile([], 0.5)).toBeNull();
  });

  test('correlation is symmetric, within -1 and 1, and null where it is not defined', () => {
    expect(pearson([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 9);
    expect(pearson([1, 1], [2, 3])).toBeNull();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: -99, max: 99 })), { minLength: 2 }),
        (xy) => {
          const r = pearson(
            xy.map((p) => p[0]),
            xy.map((p) => p[1]),
          );
          if (r !== null) expect(Math.abs(r)).toBeLessThanOrEqual(1 + 1e-9);
        },
      ),
    );
  });

  test('the same seed gives the same numbers, and a fair reservoir keeps everything while there is room', () => {
    const [a, b] = [seeded(7), seeded(7)];
    expect([a(), a(), a()]).toEqual([b(), b(), b()]);
    const kept = new Reservoir<number>(10, 1);
    for (let i = 0; i < 1000; i++) kept.offer(i);
    expect(new Set(kept.items).size).toBe(10);
    expect(Math.max(...kept.items)).toBeGreaterThan(100);
  });
});
