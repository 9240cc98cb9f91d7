import { type Definition, type Form, many, one, over } from './definition.ts';

const T = 'tasks_used' as const;
const relation = (rule: string, x: string, y: string): Form => one(rule, { kind: 'correlation', from: T, x, y });

const records = 'One entry of the log is one content block; several make one message. The sound form counts messages.';

/** What goes with what, and how alike runs of the same task are. */
export const relations: Definition[] = [
  {
    id: 'corr.cpu_mem',
    topic: 'relations',
    title: 'CPU and memory within a session',
    unit: 'r',
    paper: many('per task: correlation over samples as recorded', {
      min: over(T, 'min', 'cpu_mem_raw_r'),
      max: over(T, 'max', 'cpu_mem_raw_r'),
      mean: over(T, 'mean', 'cpu_mem_raw_r'),
    }),
    sound: many('per task: correlation of interval CPU and memory, live container', {
      min: over(T, 'min', 'cpu_mem_r'),
      max: over(T, 'max', 'cpu_mem_r'),
      mean: over(T, 'mean', 'cpu_mem_r'),
    }),
    difference: 'A lifetime average falls while memory ramps up: the negative sign is an artefact.',
  },
  {
    id: 'corr.cpu_mem_inst',
    topic: 'relations',
    title: 'CPU and memory within a session, de-averaged',
    unit: 'r',
    paper: null,
    sound: many('per task: correlation of interval CPU and memory, live container', {
      min: over(T, 'min', 'cpu_mem_r'),
      max: over(T, 'max', 'cpu_mem_r'),
      mean: over(T, 'mean', 'cpu_mem_r'),
    }),
    difference: '',
  },
  {
    id: 'corr.turns_time',
    topic: 'relations',
    title: 'Rounds and wall time over tasks',
    unit: 'r',
    paper: relation('assistant entries of the log and wall time', 'records', 'wall_s'),
    sound: relation('distinct assistant messages and wall time', 'messages', 'wall_s'),
    difference: records,
  },
  {
    id: 'corr.turns_peak',
    topic: 'relations',
    title: 'Rounds and peak memory over tasks',
    unit: 'r',
    paper: relation('assistant entries of the log and peak memory', 'records', 'mem_peak_mb'),
    sound: relation('distinct assistant messages and peak memory', 'messages', 'mem_peak_mb'),
    difference: records,
  },
  {
    id: 'corr.tokens_peak',
    topic: 'relations',
    title: 'Output tokens and peak memory over tasks',
    unit: 'r',
    paper: relation('output tokens added over entries and peak memory', 'record_tokens', 'mem_peak_mb'),
    sound: relation('output tokens once per message and peak memory', 'message_tokens', 'mem_peak_mb'),
    difference:
      'Blocks of one message repeat its token count, and many counts are the placeholder of a stream that had only begun.',
  },
  {
    id: 'cpu.ratio',
    topic: 'relations',
    title: 'CPU of the first set over the second, tasks in common',
    unit: 'x',
    only: 'all',
    paper: one('ratio of cpu.mean', { kind: 'between-sets', of: over(T, 'mean', 'cpu_avg', 'common') }),
    sound: one('ratio of CPU time / sampled time', {
      kind: 'between-sets',
      of: { kind: 'share', from: T, part: 'cpu_s', of: 'sampled_s', where: 'common', times: 100 },
    }),
    difference: 'Recorded values are lifetime averages; the sound form uses CPU time.',
  },
  {
    id: 'repeat.dvc777',
    topic: 'relations',
    title: 'The same task run again',
    unit: 's, x',
    paper: many('wall times of the attempts of the task that varies most; longest / shortest', {
      times: { kind: 'text', from: 'runs', value: 'arg_max(times, wall_ratio)' },
      ratio: over('runs', 'max', 'wall_ratio'),
    }),
    sound: many('longest / shortest active time; largest / smallest peak memory', {
      ratio: over('runs', 'max', 'active_ratio'),
      peak_ratio: over('runs', 'max', 'peak_ratio'),
    }),
    difference: 'The wall time of the first attempt contains the cold start of the container.',
  },
  {
    id: 'repeat.models',
    topic: 'relations',
    title: 'The same task under another model: active time of the slower over the faster set',
    unit: 'x',
    only: 'all',
    paper: null,
    sound: many('per task in common: longest / shortest active time, largest / smallest peak over sets', {
      time_median: over('tasks_between_sets', 'median', 'active_ratio'),
      time_max: over('tasks_between_sets', 'max', 'active_ratio'),
      peak_median: over('tasks_between_sets', 'median', 'peak_ratio'),
      peak_max: over('tasks_between_sets', 'max', 'peak_ratio'),
    }),
    difference: '',
  },
];
