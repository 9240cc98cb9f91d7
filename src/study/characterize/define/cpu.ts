import { type Definition, many, one, over, percent, shareOfRows } from './definition.ts';

const T = 'tasks_used' as const;
const S = 'samples_used' as const;

const lifetime =
  "`podman stats` without streaming prints the average since the container's start, not the rate now: a burst late in a session hardly moves it and the start-up lingers. The sound form undoes the averaging, or uses CPU time counters where they were recorded.";

/** Processor use. One core is 100 %. */
export const cpu: Definition[] = [
  {
    id: 'cpu.mean',
    topic: 'cpu',
    title: 'Mean CPU, tasks that another set has as well',
    unit: '% of one core',
    paper: one(
      'mean over tasks of the mean of the samples as recorded; tasks in common',
      over(T, 'mean', 'cpu_avg', 'common'),
    ),
    sound: one('CPU time / sampled time; tasks in common', percent(T, 'cpu_s', 'sampled_s', 'common')),
    difference: lifetime,
  },
  {
    id: 'cpu.mean_all',
    topic: 'cpu',
    title: 'Mean CPU',
    unit: '% of one core',
    paper: one('mean over tasks of the mean of the samples as recorded', over(T, 'mean', 'cpu_avg')),
    sound: one('CPU time / sampled time', percent(T, 'cpu_s', 'sampled_s')),
    difference: lifetime,
  },
  {
    id: 'cpu.gt50',
    topic: 'cpu',
    title: 'Samples above 50 % CPU',
    unit: '%',
    paper: one('samples as recorded above 50 / samples', shareOfRows(S, 'cpu > 50', 'cpu IS NOT NULL')),
    sound: one('intervals with a rate above 50 % / intervals', shareOfRows(S, 'cpu_inst > 50', 'cpu_inst IS NOT NULL')),
    difference: lifetime,
  },
  {
    id: 'cpu.gt50_inst',
    topic: 'cpu',
    title: 'Intervals above 50 % and 100 % CPU',
    unit: '%',
    paper: null,
    sound: many('intervals with a rate above / intervals', {
      gt50: shareOfRows(S, 'cpu_inst > 50', 'cpu_inst IS NOT NULL'),
      gt100: shareOfRows(S, 'cpu_inst > 100', 'cpu_inst IS NOT NULL'),
    }),
    difference: '',
  },
  {
    id: 'cpu.max',
    topic: 'cpu',
    title: 'Highest CPU',
    unit: '% of one core',
    paper: one('highest sample as recorded', over(S, 'max', 'cpu')),
    sound: one(
      'highest rate between two samples at least half a second apart',
      over(S, 'max', 'cpu_inst', 'dt_s >= 0.5'),
    ),
    difference: lifetime,
  },
  {
    id: 'cpu.overprov',
    topic: 'cpu',
    title: 'CPU peak to average',
    unit: 'x',
    paper: one('per task: highest sample / mean of samples; mean', over(T, 'mean', 'cpu_max / nullif(cpu_avg, 0)')),
    sound: one(
      'per task: highest interval rate / mean rate; mean',
      over(T, 'mean', 'cpu_inst_max / nullif(cpu_mean, 0)'),
    ),
    difference: `${lifetime} In nearly every task the highest recorded value is the first sample.`,
  },
  {
    id: 'cpu.semantics',
    topic: 'cpu',
    title: 'Are the recorded values lifetime averages? Intervals that say no',
    unit: '%',
    paper: null,
    sound: one(
      'intervals in which value x age falls by more than rounding / intervals',
      percent(T, 'cpu_falls', 'samples - 1', 'cpu_falls IS NOT NULL'),
    ),
    difference: 'CPU time used so far cannot fall: if the values were rates, about half of the intervals would say so.',
  },
];
