import { expect, test } from 'vitest';
import { draw, fit as fitClasses, fitLogNormal, peakOfCall, type ShapedCall } from '../../../src/study/replay/index.ts';

const MIB = 2 ** 20;
const call = (command: string, ms: number, mib: number): ShapedCall => ({
  command,
  after: 1000,
  workers: 1,
  retries: 0,
  smaller: 1,
  shape: [{ at: ms, anon: mib * MIB, file: 0, cpu: 0.5 }],
});

test('the fit is the maximum likelihood of the logarithms', () => {
  expect(fitLogNormal([Math.E, Math.E ** 3], 1)).toEqual({ mu: 2, sigma: 1 });
  expect(fitLogNormal([0, 0], 1)).toEqual({ mu: 0, sigma: 0 });
});

test('what is drawn has the distribution it was drawn from, and the seed decides it', () => {
  const seen = [100, 200, 400].flatMap((mib) => [call('pytest -q', 1000, mib), call('ls', 20, 2)]);
  const fitted = fitClasses(seen);
  expect(fitted.map((f) => [f.command, f.share])).toEqual([
    ['pytest -q', 0.5],
    ['ls', 0.5],
  ]);
  const drawn = draw(fitted, 2000, 7);
  expect(draw(fitted, 2000, 7)).toEqual(drawn);
  expect(draw(fitted, 2000, 8)).not.toEqual(drawn);
  const tests = drawn.filter((c) => c.command === 'pytest -q');
  expect(tests.length / drawn.length).toBeCloseTo(0.5, 1);
  const again = fitClasses(tests)[0]!;
  expect(again.peak.mu).toBeCloseTo(fitted[0]!.peak.mu, 1);
  expect(again.peak.sigma).toBeCloseTo(fitted[0]!.peak.sigma, 1);
  expect(Math.max(...tests.map(peakOfCall))).toBeLessThan(1000 * MIB);
});
