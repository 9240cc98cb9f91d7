import { type Definition, many, one, over, percent } from './definition.ts';

const T = 'tasks_used' as const;
const G = 'groups_used' as const;
const flag = (column: string) => over(T, 'sum', `(${column})::INTEGER`, 'calls > 0');
const anyCommand =
  'The paper counts any three commands in a row as a retry, whatever they are. The sound form counts the same test command run three times or more.';

/** Doing it again. */
export const retries: Definition[] = [
  {
    id: 'retry.tasks',
    topic: 'retries',
    title: 'Tasks with retries',
    unit: 'tasks',
    paper: one(
      'tasks with three or more commands in a row, any commands',
      over(T, 'sum', '(command_groups > 0)::INTEGER', 'calls > 0'),
    ),
    sound: one('tasks that run the same test command three times or more', flag('tests_same_3')),
    difference: anyCommand,
  },
  {
    id: 'retry.tasks_as_defined',
    topic: 'retries',
    title: 'Tasks with three test commands in a row',
    unit: 'tasks',
    paper: many('identical commands; any test commands', {
      identical: flag('tests_in_row_same'),
      any_test: flag('tests_in_row'),
    }),
    sound: many('the same', { identical: flag('tests_in_row_same'), any_test: flag('tests_in_row') }),
    difference: 'This is the definition the paper prints; its figures belong to another (retry.tasks).',
  },
  {
    id: 'retry.repeated_anywhere',
    topic: 'retries',
    title: 'Tasks that repeat a test command anywhere',
    unit: 'tasks',
    paper: null,
    sound: many('the same test command three times or more; any test commands three times or more', {
      identical: flag('tests_same_3'),
      any_test: flag('tests_3'),
    }),
    difference: '',
  },
  {
    id: 'retry.groups_per_task',
    topic: 'retries',
    title: 'Groups of commands in a row, per task that has one',
    unit: 'groups',
    paper: one('mean over tasks that have a group', over(T, 'mean', 'command_groups', 'command_groups > 0')),
    sound: one('mean over all tasks', over(T, 'mean', 'command_groups', 'calls > 0')),
    difference: 'Leaving out the tasks without a group raises the mean.',
  },
  {
    id: 'retry.longest',
    topic: 'retries',
    title: 'Longest row of commands',
    unit: 'calls',
    paper: one('longest run of commands', over(G, 'max', 'calls')),
    sound: one('the same (they are not repeats of one command)', over(G, 'max', 'calls')),
    difference: '',
  },
  {
    id: 'retry.time',
    topic: 'retries',
    title: 'Share of the wall time that goes into retries',
    unit: '%',
    paper: one(
      'per task that has a group: durations in groups / wall time; mean',
      over(T, 'mean', '100 * group_s / wall_s', 'command_groups > 0'),
    ),
    sound: one(
      'durations of test commands run again (same text, after the first) / wall time, over all tasks',
      percent(T, 'repeat_s', 'wall_s', 'calls > 0'),
    ),
    difference: anyCommand,
  },
  {
    id: 'retry.accum',
    topic: 'retries',
    title: 'Memory not given back over groups of commands',
    unit: 'MB',
    paper: one(
      'per group: sample after - sample before, sliced sizes, not below zero; sum per task; largest task',
      over(T, 'max', 'kept_sliced_mb'),
    ),
    sound: one('the same with exact sizes', over(T, 'max', 'kept_mb')),
    difference: 'The authors\' parser reads "185MB" as 18 and so invents growth.',
  },
  {
    id: 'retry.accum_group',
    topic: 'retries',
    title: 'Memory not given back, per group',
    unit: 'MB',
    paper: null,
    sound: many('sample after the group - sample before it, exact sizes, not below zero', {
      median: over(G, 'median', 'kept_mb'),
      p90: over(G, 'p90', 'kept_mb'),
      max: over(G, 'max', 'kept_mb'),
    }),
    difference: '',
  },
];
