import { expect, test } from 'vitest';
import { runsPerBoot, takeBoot } from '../../../src/study/evaluate/guests.ts';
import { checkScenario, makePlan } from '../../../src/study/evaluate/index.ts';

const sessions = [{ name: 'a', calls: [{ shape: [{ at: '1s' }] }] }];
const scenario = (name: string, swap: string, runs: number) =>
  checkScenario(
    { name, title: name, what: name, node: { memory: '1g', swap }, runs, arms: ['alone', 'none'], sessions },
    'x.yaml',
  );

/** The sizes of the boots, guest after guest. */
function boots(jobs: number, ...runs: [number, number]) {
  const scenarios = [scenario('plain', '0', runs[0]), scenario('swapping', '1g', runs[1])];
  const left = makePlan(scenarios, {});
  const most = runsPerBoot(left, { scenarios, jobs });
  const sizes: Record<string, number[]> = { plain: [], swapping: [] };
  while (left.length > 0) {
    const taken = takeBoot(left, { scenarios }, most);
    const [kind, ...others] = new Set(taken.map((r) => r.scenario));
    expect(others).toEqual([]);
    sizes[kind!]!.push(taken.length);
  }
  return sizes;
}

test('the runs of each kind of machine are divided evenly among few boots', () => {
  expect(boots(2, 164, 30)).toEqual({ plain: [82, 82, 82, 82], swapping: [30, 30] });
  expect(boots(2, 1, 2)).toEqual({ plain: [1, 1], swapping: [2, 2] });
  expect(boots(4, 20, 1)).toEqual({ plain: [10, 10, 10, 10], swapping: [1, 1] });
});
