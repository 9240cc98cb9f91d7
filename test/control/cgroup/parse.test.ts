import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  parseCgroupEvents,
  parseCgroupStat,
  parseCount,
  parseCpuMax,
  parseCpuStat,
  parseFlag,
  parseFlatKeyed,
  parseIoStat,
  parseIoWeight,
  parseLimit,
  parseMemoryEvents,
  parseMemoryStat,
  parsePids,
  parsePidsEvents,
  parsePressure,
  parseSwapEvents,
  parseType,
  parseWords,
} from '../../../src/control/cgroup/index.ts';
import { AcgError } from '../../../src/model/index.ts';

const parseError = expect.objectContaining({ code: 'ACG_CGROUP_PARSE' });

test('single values', () => {
  expect(parseCount('4096\n')).toBe(4096);
  expect(parseLimit('max\n')).toBe('max');
  expect(parseLimit('0\n')).toBe(0);
  expect(parseFlag('1\n')).toBe(true);
  expect(parseFlag('0\n')).toBe(false);
  expect(parseWords('memory pids\n')).toEqual(['memory', 'pids']);
  expect(parseWords('\n')).toEqual([]);
  expect(parsePids('1\n77\n0\n')).toEqual([1, 77]);
  expect(parseType('domain threaded\n')).toBe('domain threaded');
  expect(parseCpuMax('max 100000\n')).toEqual({ quotaUsec: 'max', periodUsec: 100_000 });
  expect(parseCpuMax('50000 100000\n')).toEqual({ quotaUsec: 50_000, periodUsec: 100_000 });
  for (const bad of ['', 'x', '-1', '1.5', '1e3', '0x10', '1 2 3', 'NaN', '9'.repeat(21)]) {
    expect(() => parseCount(bad)).toThrow(parseError);
    expect(() => parseLimit(bad)).toThrow(parseError);
    expect(() => parseFlag(bad)).toThrow(parseError);
    expect(() => parseCpuMax(bad)).toThrow(parseError);
  }
});

test('the error names the file and quotes a bounded piece of the text', () => {
  const error = (() => {
    try {
      parseCount('x'.repeat(10_000), '/sys/fs/cgroup/memory.current');
    } catch (e) {
      return e as AcgError;
    }
  })();
  expect(error?.message).toContain('/sys/fs/cgroup/memory.current says "xxx');
  expect(error!.message.length).toBeLessThan(400);
});

test('events and stats: known keys by name, unknown keys skipped, missing ones refused', () => {
  expect(parseCgroupEvents('populated 1\nfrozen 0\n')).toEqual({ populated: true, frozen: false });
  expect(parseCgroupEvents('populated 0\n')).toEqual({ populated: false, frozen: false });
  expect(() => parseCgroupEvents('frozen 0\n')).toThrow(/no populated/);
  expect(parseCgroupStat('nr_descendants 3\nnr_subsys_cpu 1\nnr_dying_descendants 2\n')).toEqual({
    descendants: 3,
    dyingDescendants: 2,
  });
  const events = 'low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\n';
  expect(parseMemoryEvents(events)).toEqual({ low: 1, high: 2, max: 3, oom: 4, oomKill: 5, oomGroupKill: undefined });
  expect(parseMemoryEvents(`${events}oom_group_kill 6\nsock_throttled 7\n`).oomGroupKill).toBe(6);
  expect(() => parseMemoryEvents('low 0\nhigh 0\nmax 0\noom 0\n')).toThrow(/no oom_kill/);
  expect(parseSwapEvents('high 0\nmax 4\nfail 2\n')).toEqual({ high: 0, max: 4, fail: 2 });
  expect(parsePidsEvents('max 9\n')).toEqual({ max: 9 });
  expect(parseCpuStat('usage_usec 30\nuser_usec 20\nsystem_usec 10\nnice_usec 0\n')).toEqual({
    usageUsec: 30,
    userUsec: 20,
    systemUsec: 10,
    periods: undefined,
    throttledPeriods: undefined,
    throttledUsec: undefined,
  });
  expect(
    parseCpuStat('usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 4\nnr_throttled 3\nthrottled_usec 99\n'),
  ).toMatchObject({ periods: 4, throttledPeriods: 3, throttledUsec: 99 });
});

test('memory.stat keeps bytes by name and every key as printed', () => {
  const stat = parseMemoryStat('anon 10\nfile 20\nkernel 30\npgfault 4\nworkingset_refault_anon 5\n__proto__ 6\n');
  expect(stat).toMatchObject({ anonBytes: 10, fileBytes: 20, kernelBytes: 30, refaults: 5 });
  expect(stat.inactiveFileBytes).toBeUndefined();
  // a key that ends like another one, and the first line
  expect(parseMemoryStat('inactive_anon 1\nanon 2\nfile_mapped 3\nfile 4')).toMatchObject({
    anonBytes: 2,
    fileBytes: 4,
  });
  expect(() => parseMemoryStat('anon 1\nfile 2\nkernel x\n')).toThrow(parseError);
  expect([...stat.all]).toHaveLength(6);
  expect(stat.all.get('__proto__')).toBe(6);
});

describe('io', () => {
  test('one line per device', () => {
    expect(
      parseIoStat('8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n254:0 rbytes=7 wbytes=0 rios=1 wios=0\n'),
    ).toEqual([
      { device: '8:16', readBytes: 1, writeBytes: 2, reads: 3, writes: 4, discardBytes: 5, discards: 6 },
      { device: '254:0', readBytes: 7, writeBytes: 0, reads: 1, writes: 0, discardBytes: 0, discards: 0 },
    ]);
  });
  test('devices without numbers, glued lines and cost fields', () => {
    expect(parseIoStat('7:0 \n7:1 254:0 rbytes=5 wbytes=0 rios=1 wios=0 cost.vrate=100.00 cost.usage=3\n')).toEqual([
      { device: '254:0', readBytes: 5, writeBytes: 0, reads: 1, writes: 0, discardBytes: 0, discards: 0 },
    ]);
    expect(parseIoStat('')).toEqual([]);
    expect(() => parseIoStat('rbytes=5\n')).toThrow(parseError);
    expect(() => parseIoStat('8:0 nonsense\n')).toThrow(parseError);
  });
  test('weights', () => {
    expect(parseIoWeight('default 100\n8:0 50\n')).toEqual({ default: 100, devices: new Map([['8:0', 50]]) });
    expect(() => parseIoWeight('8:0 50\n')).toThrow(/no default/);
  });
});

test('pressure, with and without the full line', () => {
  const some = 'some avg10=1.50 avg60=0.25 avg300=0.00 total=12345\n';
  expect(parsePressure(`${some}full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n`)).toEqual({
    some: { avg10: 1.5, avg60: 0.25, avg300: 0, totalUsec: 12_345 },
    full: { avg10: 0, avg60: 0, avg300: 0, totalUsec: 7 },
  });
  expect(parsePressure(some).full).toBeUndefined();
  expect(() => parsePressure('')).toThrow(parseError);
  expect(() => parsePressure('some avg10=x')).toThrow(parseError);
});

const parsers = {
  parseCgroupEvents,
  parseCgroupStat,
  parseCount,
  parseCpuMax,
  parseCpuStat,
  parseFlag,
  parseFlatKeyed,
  parseIoStat,
  parseIoWeight,
  parseLimit,
  parseMemoryEvents,
  parseMemoryStat,
  parsePids,
  parsePidsEvents,
  parsePressure,
  parseSwapEvents,
  parseType,
  parseWords,
};

/** Text near what the kernel prints: its words, numbers and separators in any order. */
const kernelish = fc
  .array(
    fc.oneof(
      fc.constantFrom(' ', '\n', '=', ':', 'max', 'some', 'full', 'avg10=', 'total=', 'populated', 'anon', '8:0', '.'),
      fc.nat().map(String),
      fc.string({ maxLength: 4 }),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));

function numbersIn(value: unknown): number[] {
  if (typeof value === 'number') return [value];
  if (value instanceof Map) return [...value.values()].flatMap(numbersIn);
  return value && typeof value === 'object' ? Object.values(value).flatMap(numbersIn) : [];
}

describe('every parser is total', () => {
  for (const [name, parse] of Object.entries(parsers))
    test(name, () => {
      fc.assert(
        fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), kernelish), (text) => {
          try {
            for (const n of numbersIn(parse(text))) expect(Number.isFinite(n) && n >= 0).toBe(true);
          } catch (error) {
            if (!(error instanceof AcgError)) throw error;
            expect(error.code).toBe('ACG_CGROUP_PARSE');
          }
        }),
        { numRuns: 500 },
      );
    });
});

test('what is printed is what is parsed', () => {
  const key = fc.stringMatching(/^[a-z_]{1,20}$/);
  fc.assert(
    fc.property(fc.dictionary(key, fc.nat({ max: Number.MAX_SAFE_INTEGER })), (values) => {
      const text = Object.entries(values)
        .map(([k, v]) => `${k} ${v}\n`)
        .join('');
      expect(Object.fromEntries(parseFlatKeyed(text))).toEqual({ ...values });
    }),
  );
  const avg = fc.nat({ max: 10_000 }).map((n) => n / 100);
  fc.assert(
    fc.property(avg, avg, avg, fc.nat({ max: Number.MAX_SAFE_INTEGER }), (avg10, avg60, avg300, totalUsec) => {
      const line = `some avg10=${avg10.toFixed(2)} avg60=${avg60.toFixed(2)} avg300=${avg300.toFixed(2)} total=${totalUsec}\n`;
      expect(parsePressure(line).some).toEqual({ avg10, avg60, avg300, totalUsec });
    }),
  );
});
