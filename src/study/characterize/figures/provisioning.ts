import { barFigure, curveFigure, type Figure } from '../../report/index.ts';
import type { Store } from '../store.ts';
import type { Study } from '../study.ts';
import { curves, inOrder } from './curves.ts';

/** What limits per container cost, what bands per call would save, how well history predicts. */
export async function provisioningFigures(store: Store, study: Study, sets: readonly string[]): Promise<Figure[]> {
  const { density, predictions, reactions } = study.derived;
  const of = <T extends { set: string }>(list: readonly T[], set: string) => list.find((x) => x.set === set);
  const predictors = predictions.find((p) => p.predictions.length)?.predictions.map((p) => p.predictor) ?? [];
  const predicted = (set: string, name: string) => of(predictions, set)?.predictions.find((p) => p.predictor === name);
  const calls = sets.map((s) => `${s}: ${predicted(s, predictors[0] ?? '')?.n ?? 0} commands`).join('; ');
  const controllers = [...new Set(reactions.map((r) => r.controller))];
  return [
    curveFigure(
      {
        id: 'band-saved',
        title: 'What a band per call saves',
        definition:
          '1 - (each call and each gap between calls given its own peak) / (the session given its peak throughout), in MB seconds, calls known beforehand; per cent of sessions that save at most so much.',
        what: 'sessions',
        x: { name: '% of the memory reserved for the peak', min: 0, max: 100 },
        empty: 'No session has samples.',
      },
      inOrder(await curves(store, 'tasks_used', '100 * (1 - reserve_band_mbs / nullif(reserve_peak_mbs, 0))'), sets),
    ),
    barFigure({
      id: 'density',
      title: `Sessions on a node of ${(study.nodeBytes / 1e9).toFixed(1)} GB`,
      definition:
        'Sessions drawn at random, each from a random point of its course, until one more does not fit; median of the trials. By peaks: each is given its peak. By bands: each call is given its own. By use: what is in use fits always, or in 99 % of the seconds.',
      n: `${density[0]?.trials ?? 0} trials of 10 minutes per set, seed ${study.seed}`,
      axis: 'sessions',
      categories: sets,
      series: (
        [
          ['by peaks', 'peak'],
          ['by bands', 'band'],
          ['by use', 'use'],
          ['by use, 99 %', 'use99'],
        ] as const
      ).map(([name, key]) => ({ name, values: sets.map((s) => of(density, s)?.[key].median ?? null) })),
      empty: 'No session has samples.',
    }),
    barFigure({
      id: 'prediction-covered',
      title: 'Does history predict the next command?',
      definition:
        'Limits that 95 of 100 commands should stay under, learned from other tasks (5 folds): per cent of sessions with at least one command over its limit. If a limit killed, so many sessions would lose a command.',
      n: calls,
      axis: '% of sessions with a command over its limit',
      categories: predictors,
      series: sets.map((set) => ({
        name: set,
        values: predictors.map((p) => predicted(set, p)?.sessionsOver ?? null),
      })),
      max: 100,
      empty: 'There are too few commands or tasks to learn from.',
    }),
    barFigure({
      id: 'prediction-reserved',
      title: 'And at what price?',
      definition: 'Sum of those limits / sum of what the commands needed.',
      n: calls,
      axis: 'memory reserved / memory needed (x)',
      categories: predictors,
      series: sets.map((set) => ({ name: set, values: predictors.map((p) => predicted(set, p)?.reserved ?? null) })),
      empty: 'There are too few commands or tasks to learn from.',
    }),
    barFigure({
      id: 'reaction',
      title: 'Too late: bursts at their top before a controller acts',
      definition:
        "Bursts whose rise from idle to the top takes no longer than the controller's reaction time / bursts. No rise can be seen that is shorter than the distance of samples.",
      n: sets.map((s) => `${s}: ${of(reactions, s)?.bursts ?? 0} bursts`).join('; '),
      axis: '% of bursts',
      categories: controllers.map((c) => `${c} (${reactions.find((r) => r.controller === c)!.reaction_s} s)`),
      series: sets.map((set) => ({
        name: set,
        values: controllers.map((c) => reactions.find((r) => r.set === set && r.controller === c)?.topped ?? null),
      })),
      max: 100,
      empty: 'There are no bursts.',
    }),
  ];
}
