import { atMax, type Definition, many, one, over, percent, shareOfRows } from './definition.ts';

const T = 'tasks_used' as const;
const B = 'bursts_used' as const;
const ratio = 'mem_peak_mb / nullif(mem_avg_mb, 0)';
const timeRatio = 'mem_peak_mb / nullif(mem_mean_mb, 0)';
/** In the session with the highest peak-to-average of its set. */
const extreme = (value: string) => atMax(T, value, ratio);
const weighting = 'Samples are not evenly spaced; the sound form weights each with the time it stood for.';

/** How much memory, for how long. */
export const memory: Definition[] = [
  {
    id: 'mem.baseline',
    topic: 'memory',
    title: 'Memory of the idle agent',
    unit: 'MB',
    paper: one(
      'per task: mean of the samples 1 .. n/10 (the first one skipped); mean',
      over(T, 'mean', 'mem_early_mb'),
    ),
    sound: one('per task: median of the samples outside leaf calls; mean', over(T, 'mean', 'mem_idle_mb')),
    difference: 'The early mean contains the first calls and misses what the agent keeps later.',
  },
  {
    id: 'mem.p2a',
    topic: 'memory',
    title: 'Peak to average: the most extreme session',
    unit: 'x, MB, MB',
    paper: many('largest peak / mean over samples; peak and mean of that session', {
      ratio: over(T, 'max', ratio),
      peak: extreme('mem_peak_mb'),
      avg: extreme('mem_avg_mb'),
    }),
    sound: many('the same with the mean over time', {
      ratio: over(T, 'max', timeRatio),
      peak: extreme('mem_peak_mb'),
      avg: extreme('mem_mean_mb'),
    }),
    difference: weighting,
  },
  {
    id: 'mem.p2a_144',
    topic: 'memory',
    title: 'Peak to average over sessions',
    unit: 'x',
    paper: null,
    sound: many('per task: peak / mean over time', {
      median: over(T, 'median', timeRatio),
      p95: over(T, 'p95', timeRatio),
      max: over(T, 'max', timeRatio),
    }),
    difference: '',
  },
  {
    id: 'mem.range_cv',
    topic: 'memory',
    title: 'Peak memory across tasks',
    unit: 'MB, MB, %',
    paper: many('smallest and largest peak; sample standard deviation / mean', {
      min: over('tasks', 'min', 'mem_peak_mb'),
      max: over(T, 'max', 'mem_peak_mb'),
      cv: over(T, 'cv', 'mem_peak_mb'),
    }),
    sound: many('the same, excluded runs left out of the minimum too', {
      min: over(T, 'min', 'mem_peak_mb'),
      max: over(T, 'max', 'mem_peak_mb'),
      cv: over(T, 'cv', 'mem_peak_mb'),
    }),
    difference:
      "The paper's three numbers come from different sets and machines, the smallest from a run its own filter excludes.",
  },
  {
    id: 'mem.x20',
    topic: 'memory',
    title: 'Largest over smallest peak',
    unit: 'x',
    paper: one(
      'largest / smallest peak, excluded runs included in the smallest',
      over('tasks', 'spread', 'mem_peak_mb', 'mem_peak_mb > 0'),
    ),
    sound: one('largest / smallest peak', over(T, 'spread', 'mem_peak_mb', 'mem_peak_mb > 0')),
    difference:
      "The paper's three numbers come from different sets and machines, the smallest from a run its own filter excludes.",
  },
  {
    id: 'mem.peak_position',
    topic: 'memory',
    title: 'Where in the session the peak lies',
    unit: '% of the session',
    paper: many('index of the first highest sample / (samples - 1)', {
      mean: over(T, 'mean', '100 * peak_index'),
      median: over(T, 'median', '100 * peak_index'),
    }),
    sound: many('time of the first highest sample / sampled time', {
      mean: over(T, 'mean', '100 * peak_time'),
      median: over(T, 'median', '100 * peak_time'),
    }),
    difference: weighting,
  },
  {
    id: 'mem.time_near_peak',
    topic: 'memory',
    title: 'Time near the peak and waste of peak provisioning: the most extreme session',
    unit: '%',
    paper: many('samples at 80 % of the peak or more / samples; 1 - mean / peak', {
      time: extreme('100 * near_peak_share'),
      waste: extreme('100 * (1 - mem_avg_mb / mem_peak_mb)'),
    }),
    sound: many('the same over all sessions: medians', {
      time: over(T, 'median', '100 * near_peak_share'),
      waste: over(T, 'median', '100 * (1 - mem_mean_mb / mem_peak_mb)'),
    }),
    difference: "The paper's sentence is about one session; the sound form says what holds for the one in the middle.",
  },
  {
    id: 'mem.below_avg',
    topic: 'memory',
    title: "Time at or below the session's own average: the most extreme session",
    unit: '%',
    paper: one('samples at or below the mean / samples', extreme('100 * below_avg_share')),
    sound: one('the same over all sessions: median', over(T, 'median', '100 * below_avg_share')),
    difference: "The paper's sentence is about one session; the sound form says what holds for the one in the middle.",
  },
  {
    id: 'mem.waste_144',
    topic: 'memory',
    title: 'Memory wasted if every session is given its own peak',
    unit: '%, tasks',
    paper: null,
    sound: many('per task: 1 - mean / peak; and tasks that waste more than 90 %', {
      mean: over(T, 'mean', '100 * (1 - mem_avg_mb / mem_peak_mb)'),
      gt90: over(T, 'sum', '(mem_avg_mb / mem_peak_mb < 0.1)::INTEGER'),
    }),
    difference: '',
  },
  {
    id: 'mem.burst_len',
    topic: 'bursts',
    title: 'How long memory bursts last (fixed level)',
    unit: '%, %, s',
    paper: many(
      'maximal runs of samples above the burst level: runs of one or two samples / runs; burst samples in longer runs / burst samples; longest run',
      {
        short_runs: shareOfRows(B, 'samples <= 2', "kind = 'level'"),
        samples_in_longer: percent(B, 'CASE WHEN samples > 2 THEN samples ELSE 0 END', 'samples', "kind = 'level'"),
        longest: over(B, 'max', 'length_s', "kind = 'level'"),
      },
    ),
    sound: many("bursts above the session's own idle memory: the same", {
      short_runs: shareOfRows(B, 'samples <= 2', "kind = 'rise'"),
      samples_in_longer: percent(B, 'CASE WHEN samples > 2 THEN samples ELSE 0 END', 'samples', "kind = 'rise'"),
      longest: over(B, 'max', 'length_s', "kind = 'rise'"),
    }),
    difference:
      'A fixed level calls an agent whose idle memory is above it one endless burst, and misses the rise of a small one.',
  },
  {
    id: 'mem.spike80',
    topic: 'bursts',
    title: 'Longest run at 80 % of the peak or more',
    unit: 'samples',
    paper: one('per task, in samples; median', over(T, 'median', 'near_peak_run')),
    sound: one('the same', over(T, 'median', 'near_peak_run')),
    difference: '',
  },
  {
    id: 'burst.length',
    topic: 'bursts',
    title: 'Burst length',
    unit: 's',
    paper: null,
    sound: many('bursts above idle memory, from the first sample over the threshold to the first below it', {
      median: over(B, 'median', 'length_s', "kind = 'rise'"),
      p90: over(B, 'p90', 'length_s', "kind = 'rise'"),
      p99: over(B, 'p99', 'length_s', "kind = 'rise'"),
      max: over(B, 'max', 'length_s', "kind = 'rise'"),
    }),
    difference: '',
  },
  {
    id: 'burst.height',
    topic: 'bursts',
    title: 'Burst height above idle memory',
    unit: 'MB',
    paper: null,
    sound: many("highest sample of the burst minus the session's idle memory", {
      median: over(B, 'median', 'height_mb', "kind = 'rise'"),
      p90: over(B, 'p90', 'height_mb', "kind = 'rise'"),
      p99: over(B, 'p99', 'height_mb', "kind = 'rise'"),
      max: over(B, 'max', 'height_mb', "kind = 'rise'"),
    }),
    difference: '',
  },
  {
    id: 'burst.rise_time',
    topic: 'bursts',
    title: 'From idle to the top of a burst',
    unit: 's',
    paper: null,
    sound: many('last sample below the threshold to the highest one', {
      p10: over(B, 'p10', 'rise_s', "kind = 'rise'"),
      median: over(B, 'median', 'rise_s', "kind = 'rise'"),
      p90: over(B, 'p90', 'rise_s', "kind = 'rise'"),
    }),
    difference: '',
  },
];
