import { type Definition, type Form, many, one, over, quotient, type Statistic, shareOfRows } from './definition.ts';

const C = 'calls_used' as const;
/** The paper's rule for a call that counts: long enough to be seen, with a sample inside. */
const seen = "tool = 'Bash' AND dur_s >= 0.1 AND samples_in > 0";
const parser =
  'The authors\' parser reads "185MB" as 18, which makes a rise of some 170 MB whenever a size is printed without a decimal point. The sound form reads sizes right; spike.by_program takes the classes by the programs that run as well.';

const paperSpike = (name: string, statistic: Statistic): Form =>
  one(
    `highest sample in the call - last one before it, sliced sizes; calls of at least 0.1 s with a sample inside, class "${name}" (order of the spike table)`,
    over(C, statistic, 'rise_sliced_mb', `${seen} AND class_spike = '${name}'`),
  );
const soundSpike = (name: string, statistic: Statistic): Form =>
  one(
    'the same calls and class with exact sizes',
    over(C, statistic, 'rise_mb', `${seen} AND class_spike = '${name}'`),
  );

const spike = (id: string, title: string, statistic: Statistic, name: string): Definition => ({
  id,
  topic: 'calls',
  title,
  unit: 'MB',
  paper: paperSpike(name, statistic),
  sound: soundSpike(name, statistic),
  difference: parser,
});

const byProgram = (statistic: Statistic, names: string) =>
  over(C, statistic, 'rise_mb', `is_command AND dur_s >= 0.1 AND samples_in > 0 AND class IN (${names})`);

/** What single calls need. */
export const calls: Definition[] = [
  spike('spike.test_p95', 'Memory rise in tests, 95th percentile', 'p95', 'Test Execution'),
  spike('spike.install_p95', 'Memory rise in package installation, 95th percentile', 'p95', 'Package Install'),
  spike('spike.git_mean', 'Memory rise in git, mean', 'mean', 'Git Operations'),
  spike('spike.files_mean', 'Memory rise in file exploration, mean', 'mean', 'File Exploration'),
  {
    id: 'spike.by_program',
    topic: 'calls',
    title: 'Memory rise by the programs that run',
    unit: 'MB',
    paper: null,
    sound: many(
      'highest sample in the call - last one before it, exact sizes; commands of at least 0.1 s with a sample inside, classes by the programs that run',
      {
        tests_p95: byProgram('p95', "'tests'"),
        install_p95: byProgram('p95', "'install'"),
        git_mean: byProgram('mean', "'git'"),
        files_mean: byProgram('mean', "'files', 'text'"),
      },
    ),
    difference: '',
  },
  {
    id: 'spike.test_cpu',
    topic: 'calls',
    title: 'CPU rise in tests, mean',
    unit: '%-points of one core',
    paper: one(
      'highest recorded value in the call - last one before it; class "Test Execution"',
      over(C, 'mean', 'rise_cpu', `${seen} AND class_spike = 'Test Execution'`),
    ),
    sound: one(
      'the same with interval rates, class "tests"',
      over(C, 'mean', 'rise_cpu_inst', "is_command AND dur_s >= 0.1 AND samples_in > 0 AND class = 'tests'"),
    ),
    difference: "The paper's figure is a difference of two lifetime averages, which hardly move.",
  },
  {
    id: 'call.demand',
    topic: 'calls',
    title: 'Memory demand of a command',
    unit: 'MB',
    paper: null,
    sound: many(
      "peak of the call's own cgroup where recorded, else the rise above the sample before it (not below zero)",
      {
        median: over(C, 'median', 'demand_mb', 'is_command'),
        p90: over(C, 'p90', 'demand_mb', 'is_command'),
        p99: over(C, 'p99', 'demand_mb', 'is_command'),
        max: over(C, 'max', 'demand_mb', 'is_command'),
      },
    ),
    difference: '',
  },
  {
    id: 'mem.bash_13_7',
    topic: 'calls',
    title: 'How far apart commands are in memory',
    unit: 'x',
    paper: one(
      'peak of the whole container of Medical_Bio_Hard / that of streamlink__streamlink-2160',
      quotient(
        over('tasks', 'max', 'mem_peak_mb', "task = 'Medical_Bio_Hard'"),
        over('tasks', 'max', 'mem_peak_mb', "task = 'streamlink__streamlink-2160'"),
      ),
    ),
    sound: one(
      '99th / 50th percentile of the demand of commands that need at least 1 MB',
      quotient(
        over(C, 'p99', 'demand_mb', 'is_command AND demand_mb >= 1'),
        over(C, 'median', 'demand_mb', 'is_command AND demand_mb >= 1'),
      ),
    ),
    difference:
      'The paper divides the peaks of two containers, from two machines, and calls it the difference between two commands.',
    only: 'all',
  },
  {
    id: 'call.seen',
    topic: 'calls',
    title: 'Commands long enough to be seen by the sampling',
    unit: '%',
    paper: null,
    sound: one(
      'commands with at least one sample inside / commands',
      shareOfRows(C, 'samples_in > 0', 'is_command AND dur_s IS NOT NULL'),
    ),
    difference: '',
  },
];
