import { type Definition, many, one, over } from './definition.ts';

const T = 'tasks_used' as const;

/** What was run, on what. */
export const setting: Definition[] = [
  {
    id: 'setup.counts',
    topic: 'setting',
    title: 'Tasks that count',
    unit: 'tasks',
    paper: one('last attempt at each task; at least 10 samples and 60 s', over(T, 'count', 'id')),
    sound: one('the same for imported data sets; recorded sessions count at any length', over(T, 'count', 'id')),
    difference: '',
  },
  {
    id: 'setup.subset',
    topic: 'setting',
    title: 'Tasks that more than one set has',
    unit: 'tasks',
    only: 'all',
    paper: one(
      'tasks of one set that are in another set as well',
      over(T, 'count', 'id', 'common AND id IN (SELECT min(id) FROM tasks_used WHERE common GROUP BY task)'),
    ),
    sound: one(
      'the same',
      over(T, 'count', 'id', 'common AND id IN (SELECT min(id) FROM tasks_used WHERE common GROUP BY task)'),
    ),
    difference:
      'The paper calls the smaller set a subset of the larger one; counting the shared task names shows how far that holds.',
  },
  {
    id: 'image.range',
    topic: 'setting',
    title: 'Image sizes',
    unit: 'GiB',
    paper: many("image size / 2^30; over all sets each task once, the first set's image", {
      min: over('images', 'min', 'image_gib'),
      median: over('images', 'median', 'image_gib'),
      max: over('images', 'max', 'image_gib'),
      n: over('images', 'count', 'image_gib'),
      total: over('images', 'sum', 'image_gib'),
    }),
    sound: many('the same', {
      min: over('images', 'min', 'image_gib'),
      median: over('images', 'median', 'image_gib'),
      max: over('images', 'max', 'image_gib'),
      n: over('images', 'count', 'image_gib'),
      total: over('images', 'sum', 'image_gib'),
    }),
    difference:
      'The paper labels the unit GB; it is GiB. The sizes are those of the image after chown and commit, not of the one pulled.',
  },
  {
    id: 'image.average',
    topic: 'setting',
    title: 'Average image size',
    unit: 'GiB',
    paper: one('the figure called average: the median', over('images', 'median', 'image_gib')),
    sound: one('arithmetic mean', over('images', 'mean', 'image_gib')),
    difference: 'The number the paper gives as the average is the median; a few large images lift the mean above it.',
  },
  {
    id: 'model.haiku_identity',
    topic: 'setting',
    title: 'Model of the main thread',
    unit: 'name (sessions)',
    paper: null,
    sound: one('the model most assistant entries of the main thread name', {
      kind: 'text',
      from: T,
      value: `(SELECT string_agg(model || ' (' || n || ')', ', ' ORDER BY n DESC, model) FROM (SELECT unnest(map_entries(histogram(model))).key AS model, unnest(map_entries(histogram(model))).value AS n))`,
    }),
    difference: 'The paper names the model by its marketing name; the log names the one that answered.',
  },
  {
    id: 'machine',
    topic: 'setting',
    title: 'Memory limits the sessions ran under',
    unit: 'GB (10^9 bytes)',
    paper: null,
    sound: one('distinct limits as the container reported them', {
      kind: 'text',
      from: 'tasks',
      value: `string_agg(DISTINCT printf('%.2f', limit_mb / 1000), ', ')`,
      where: 'limit_mb IS NOT NULL',
    }),
    difference: 'More than one limit means more than one machine: figures of such sets must not be mixed.',
  },
  {
    id: 'quality.no_issue_text',
    topic: 'setting',
    title: 'Tasks that ran without an issue text',
    unit: 'tasks',
    paper: null,
    sound: one("the agent's error output says that /issue.md does not exist", over(T, 'sum', 'empty_issue::INTEGER')),
    difference: '',
  },
];
