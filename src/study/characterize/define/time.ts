import { type Definition, many, one, over, percent } from './definition.ts';

const T = 'tasks_used' as const;
const wall = over(T, 'mean', 'wall_s / 60');
const shareSum = '100 * tool_sum_s / nullif(active_s, 0)';
const shareUnion = '100 * tool_union_s / nullif(active_s, 0)';
const shareLeaf = '100 * tool_leaf_s / nullif(active_s, 0)';
const initialisation = '100 * (wall_s - active_s) / nullif(wall_s, 0)';
/** The authors take a session without an agent log to have been active all its wall time. */
const paperActive = 'CASE WHEN logged THEN active_s ELSE wall_s END';
const paperInit = `100 * (wall_s - ${paperActive}) / nullif(wall_s, 0)`;
/** Only the data set times the container apart from the agent's own activity. */
const phased = 'wall_s > active_s';

const merged =
  "Added durations count parallel calls twice, and a sub-agent's envelope counts all the time its model thinks as tool time. The sound form is the time in which at least one call that is no envelope ran.";

/** How long, and spent on what. */
export const time: Definition[] = [
  {
    id: 'dur.mean',
    topic: 'time',
    title: 'Execution time, mean',
    unit: 'min',
    paper: one('mean wall time of the container, from start to end', wall),
    sound: one('the same', wall),
    difference: '',
  },
  {
    id: 'dur.median',
    topic: 'time',
    title: 'Execution time, median',
    unit: 'min',
    paper: one('median wall time of the container', over(T, 'median', 'wall_s / 60')),
    sound: one('the same, per set', over(T, 'median', 'wall_s / 60')),
    difference: '',
  },
  {
    id: 'dur.common30',
    topic: 'time',
    title: 'Execution time, mean, tasks that another set has as well',
    unit: 's',
    paper: one('mean wall time over the tasks in common', over(T, 'mean', 'wall_s', 'common')),
    sound: one('the same', over(T, 'mean', 'wall_s', 'common')),
    difference: '',
  },
  {
    id: 'dur.permfix',
    topic: 'time',
    title: 'Permission fix before the container starts',
    unit: 's',
    paper: many('time of chown and commit of the image, which the paper calls container start-up', {
      mean: over(T, 'mean', 'permission_fix_s'),
      median: over(T, 'median', 'permission_fix_s'),
      max: over(T, 'max', 'permission_fix_s'),
    }),
    sound: many('the same', {
      mean: over(T, 'mean', 'permission_fix_s'),
      median: over(T, 'median', 'permission_fix_s'),
      max: over(T, 'max', 'permission_fix_s'),
    }),
    difference:
      'It is a preparation of the image by the harness, not the start of a container, and not part of the wall time.',
  },
  {
    id: 'tool.share_active_mean',
    topic: 'time',
    title: 'Tool share of active time, mean',
    unit: '%',
    paper: one(
      'per task: sum of call durations / active time (first to last log entry); mean',
      over(T, 'mean', shareSum),
    ),
    sound: one('per task: time with at least one leaf call / active time; mean', over(T, 'mean', shareLeaf)),
    difference: merged,
  },
  {
    id: 'tool.share_active_median',
    topic: 'time',
    title: 'Tool share of active time, median',
    unit: '%',
    paper: one('per task: sum of call durations / active time; median', over(T, 'median', shareSum)),
    sound: one('per task: time with at least one leaf call / active time; median', over(T, 'median', shareLeaf)),
    difference: merged,
  },
  {
    id: 'tool.share_range',
    topic: 'time',
    title: 'Tool share of active time, range over tasks',
    unit: '%',
    paper: many('per task: sum of call durations / active time', {
      min: over(T, 'min', shareSum),
      max: over(T, 'max', shareSum),
    }),
    sound: many('per task: time with at least one leaf call / active time', {
      min: over(T, 'min', shareLeaf),
      max: over(T, 'max', shareLeaf),
    }),
    difference: `${merged} That is how a share can exceed 100 %.`,
  },
  {
    id: 'tool.share_union',
    topic: 'time',
    title: 'Tool share of active time, overlaps merged',
    unit: '%',
    paper: null,
    sound: many('per task: time with at least one call, envelopes included / active time', {
      mean: over(T, 'mean', shareUnion),
      median: over(T, 'median', shareUnion),
      max: over(T, 'max', shareUnion),
    }),
    difference: '',
  },
  {
    id: 'tool.share_union_leaf',
    topic: 'time',
    title: 'Tool share of active time, overlaps merged, without envelopes',
    unit: '%',
    paper: null,
    sound: many('per task: time with at least one leaf call / active time', {
      mean: over(T, 'mean', shareLeaf),
      median: over(T, 'median', shareLeaf),
      max: over(T, 'max', shareLeaf),
    }),
    difference: '',
  },
  {
    id: 'phase.split',
    topic: 'time',
    title: 'Where the wall time goes',
    unit: '%',
    paper: many(
      'per task: (wall - active), sum of call durations, (active - sum of call durations), each / wall; without an agent log active is wall; mean',
      {
        init: over(T, 'mean', paperInit, phased),
        tool: over(T, 'mean', '100 * tool_sum_s / wall_s', phased),
        llm: over(T, 'mean', `100 * (${paperActive} - tool_sum_s) / wall_s`, phased),
      },
    ),
    sound: many('the same with the time in which at least one leaf call ran', {
      init: over(T, 'mean', initialisation, phased),
      tool: over(T, 'mean', '100 * tool_leaf_s / wall_s', phased),
      llm: over(T, 'mean', '100 * (active_s - tool_leaf_s) / wall_s', phased),
    }),
    difference: `${merged} Without an agent log, the sound form takes the sampled window as active.`,
  },
  {
    id: 'phase.os_level',
    topic: 'time',
    title: 'OS-level execution (initialisation and tools)',
    unit: '%',
    paper: one(
      'per task: (wall - active + sum of call durations) / wall; mean',
      over(T, 'mean', `100 * (wall_s - (${paperActive}) + tool_sum_s) / wall_s`, phased),
    ),
    sound: one(
      'per task: (wall - active + time with a leaf call) / wall; mean',
      over(T, 'mean', '100 * (wall_s - active_s + tool_leaf_s) / wall_s', phased),
    ),
    difference: merged,
  },
  {
    id: 'phase.init_alt',
    topic: 'time',
    title: 'Initialisation, permission fix in the denominator',
    unit: '%',
    paper: one(
      'per task: (wall - active) / (wall + permission fix); mean',
      over(T, 'mean', `100 * (wall_s - (${paperActive})) / (wall_s + permission_fix_s)`, phased),
    ),
    sound: one('per task: (wall - active) / wall; mean', over(T, 'mean', initialisation, phased)),
    difference:
      'The permission fix lies before the wall time starts, so it belongs in both numerator and denominator or in neither.',
  },
  {
    id: 'phase.init_seconds',
    topic: 'time',
    title: 'Initialisation',
    unit: 's',
    paper: null,
    sound: many('wall time minus active time', {
      mean: over(T, 'mean', 'wall_s - active_s', phased),
      median: over(T, 'median', 'wall_s - active_s', phased),
    }),
    difference: '',
  },
  {
    id: 'time.parallel_share',
    topic: 'time',
    title: 'Call time that overlaps other calls',
    unit: '%',
    paper: null,
    sound: one(
      '(sum of call durations - time with at least one call) / sum of call durations',
      percent(T, 'tool_sum_s - tool_union_s', 'tool_sum_s'),
    ),
    difference: '',
  },
];
