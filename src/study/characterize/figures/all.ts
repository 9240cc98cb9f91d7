import { curveFigure, type Figure } from '../../report/index.ts';
import { commandClasses } from '../measure/classes.ts';
import type { Store } from '../store.ts';
import type { Study } from '../study.ts';
import { attribution, classTime, phases, retries, toolTime } from './bars.ts';
import { curves, inOrder } from './curves.ts';
import { progressFigures } from './progress.ts';
import { provisioningFigures } from './provisioning.ts';
import { trajectory } from './trajectory.ts';
import { varianceFigures } from './variance.ts';

/** Every picture of the report, in its order, except the interactive time line. */
export async function figures(store: Store, study: Study): Promise<Figure[]> {
  const sets = study.sets.map((s) => s.name);
  const duration = curveFigure(
    {
      id: 'execution-time',
      title: 'Execution time',
      definition:
        'Wall time of a session (container start to end where recorded); per cent of sessions that took at most so long.',
      what: 'sessions',
      x: { name: 'minutes', min: 0 },
      empty: 'No session has a duration.',
    },
    inOrder(await curves(store, 'tasks_used', 'wall_s / 60'), sets),
  );
  return [
    duration,
    phases(study),
    await toolTime(store, sets),
    classTime(study),
    ...(await progressFigures(store, sets)),
    curveFigure(
      {
        id: 'image-sizes',
        title: 'Image sizes',
        definition: 'Size of the container image of each task; per cent of tasks with an image of at most that size.',
        what: 'images',
        x: { name: 'GiB', min: 0 },
        empty: 'These traces record no image sizes.',
      },
      inOrder(await curves(store, 'images', 'image_gib'), sets),
    ),
    await trajectory(store, sets),
    curveFigure(
      {
        id: 'change-memory',
        title: 'How fast memory changes',
        definition:
          'Absolute change of memory between two samples / their distance (under 2 s apart, live container); per cent of intervals with a faster change.',
        what: 'intervals',
        x: { name: 'MB/s (logarithmic)', log: true, min: 0.1 },
        above: 'logarithmic',
        empty: 'There are no two samples within two seconds.',
      },
      inOrder(await curves(store, 'samples_used', 'abs(d_mem_mb) / dt_s', 'dt_s > 0 AND dt_s < 2 AND NOT gone'), sets),
    ),
    curveFigure(
      {
        id: 'change-cpu',
        title: 'How fast CPU use changes',
        definition:
          'Absolute difference of the CPU rates of two neighbouring intervals / their distance, de-averaged; per cent of intervals with a faster change.',
        what: 'intervals',
        x: { name: '% of one core per second (logarithmic)', log: true, min: 0.1 },
        above: 'logarithmic',
        empty: 'These traces record no CPU use.',
      },
      inOrder(await curves(store, 'samples_used', 'abs(d_cpu_inst) / dt_s', 'dt_s > 0 AND dt_s < 2'), sets),
    ),
    attribution(study),
    curveFigure(
      {
        id: 'burst-length',
        title: 'How long bursts last',
        definition: `Stretches with memory more than ${study.thresholds.riseMb} MB above the session's idle memory; per cent of bursts that last longer.`,
        what: 'bursts',
        x: { name: 'seconds (logarithmic)', log: true },
        above: true,
        empty: 'There are no bursts, or too few.',
      },
      inOrder(await curves(store, 'bursts_used', 'length_s', "kind = 'rise' AND length_s > 0"), sets),
    ),
    curveFigure(
      {
        id: 'burst-height',
        title: 'How high bursts go',
        definition: "Highest sample of a burst minus the session's idle memory; per cent of bursts that go higher.",
        what: 'bursts',
        x: { name: 'MB above idle (logarithmic)', log: true },
        above: true,
        empty: 'There are no bursts, or too few.',
      },
      inOrder(await curves(store, 'bursts_used', 'height_mb', "kind = 'rise'"), sets),
    ),
    curveFigure(
      {
        id: 'peak-to-average',
        title: 'Peak to average memory',
        definition: 'Peak / mean over time of each session; per cent of sessions with at most that ratio.',
        what: 'sessions',
        x: { name: 'peak / average (logarithmic)', log: true, min: 1 },
        empty: 'No session has memory samples.',
      },
      inOrder(await curves(store, 'tasks_used', 'mem_peak_mb / nullif(mem_mean_mb, 0)'), sets),
    ),
    ...(await demand(store, sets)),
    retries(study),
    curveFigure(
      {
        id: 'retry-groups',
        title: 'Commands in a row',
        definition:
          'Groups of three or more commands with no other tool between them; per cent of groups that are longer.',
        what: 'groups',
        x: { name: 'commands in the group (logarithmic)', log: true },
        above: true,
        empty: 'No session runs three commands in a row.',
      },
      inOrder(await curves(store, 'groups_used', 'calls'), sets),
    ),
    curveFigure(
      {
        id: 'retry-kept',
        title: 'Memory kept over commands in a row',
        definition: 'Sample after the group minus sample before it, not below zero; per cent of groups that keep more.',
        what: 'groups',
        x: { name: 'MB (logarithmic)', log: true, min: 0.1 },
        above: true,
        empty: 'No session runs three commands in a row between samples.',
      },
      inOrder(await curves(store, 'groups_used', 'kept_mb'), sets),
    ),
    ...(await varianceFigures(store, sets)),
    ...(await provisioningFigures(store, study, sets)),
  ];
}

/** One picture per set: what the classes need. */
async function demand(store: Store, sets: readonly string[]): Promise<Figure[]> {
  const made = [];
  for (const [i, set] of sets.slice(0, 4).entries()) {
    const where = `is_command AND set_name = '${set.replaceAll("'", "''")}' AND samples_in > 0`;
    const found = await curves(store, 'calls_used', 'greatest(demand_mb, 0.1)', where, 'class');
    const shown = commandClasses.flatMap((c) => found.find((f) => f.set === c && f.n >= 10) ?? []);
    made.push(
      curveFigure(
        {
          id: `demand-by-class-${i + 1}`,
          title: `What commands need: ${set}`,
          definition:
            "Peak of the call's own cgroup where recorded, else the highest sample in the call minus the last one before it; by class of command (ten or more); per cent of commands that need more.",
          what: 'commands',
          x: { name: 'MB (logarithmic)', log: true, min: 0.1 },
          above: true,
          empty: 'There are fewer than ten commands of any class with samples in them.',
        },
        shown,
      ),
    );
  }
  return made;
}
