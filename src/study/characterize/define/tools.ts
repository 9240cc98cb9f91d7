import { type Definition, type Form, many, one, over, percent, shareOfRows } from './definition.ts';

const C = 'calls_used' as const;
const leaf = 'NOT envelope';
const ofAll = (tool: string) => percent(C, `CASE WHEN tool = '${tool}' THEN dur_s ELSE 0 END`, 'dur_s');
const ofLeaves = (tool: string) => percent(C, `CASE WHEN tool = '${tool}' THEN dur_s ELSE 0 END`, 'dur_s', leaf);
const ofCommands = (column: string, name: string) =>
  percent(C, `CASE WHEN ${column} = '${name}' THEN dur_s ELSE 0 END`, 'dur_s', 'is_command');
const meanOf = (tool: string) => over(C, 'mean', 'dur_s', `tool = '${tool}'`);

const envelopes =
  "A sub-agent's envelope (Task) lasts as long as everything inside it, its model's thinking included; it is not one call. Left out, what remains is divided among the tools that do work.";
const words =
  'The paper takes the first class one of whose words stands anywhere in the command, so `ls tests/pytest.ini` is a test. The sound form looks at the programs that run and takes the heaviest.';

const paperClassShare = (name: string): Form =>
  one(
    `command time of the class "${name}" (paper's words, order of the time table) / command time`,
    ofCommands('class_time', name),
  );

/** Which tools, and which commands. */
export const tools: Definition[] = [
  {
    id: 'tool.time_haiku',
    topic: 'tools',
    title: 'Bash and sub-agents in tool time',
    unit: '%',
    paper: many('durations of the tool / durations of all calls', { Bash: ofAll('Bash'), Task: ofAll('Task') }),
    sound: many('durations of the tool / durations of all leaf calls', { Bash: ofLeaves('Bash') }),
    difference: `${envelopes} The paper's text also has the two figures the other way round.`,
  },
  {
    id: 'tool.time_glm',
    topic: 'tools',
    title: 'Bash in tool time',
    unit: '%',
    paper: one('durations of Bash / durations of all calls', ofAll('Bash')),
    sound: one('durations of Bash / durations of all leaf calls', ofLeaves('Bash')),
    difference: envelopes,
  },
  {
    id: 'tool.means',
    topic: 'tools',
    title: 'Mean duration of a call',
    unit: 's',
    paper: many('mean of end - start', {
      Task: meanOf('Task'),
      Bash: meanOf('Bash'),
      Read: meanOf('Read'),
      Edit: meanOf('Edit'),
    }),
    sound: many('the same', { Task: meanOf('Task'), Bash: meanOf('Bash'), Read: meanOf('Read'), Edit: meanOf('Edit') }),
    difference: '',
  },
  {
    id: 'bash.share_tests',
    topic: 'tools',
    title: 'Tests in command time',
    unit: '%',
    paper: paperClassShare('Test Execution'),
    sound: one('command time of class "tests" / command time', ofCommands('class', 'tests')),
    difference: words,
  },
  {
    id: 'bash.share_install',
    topic: 'tools',
    title: 'Package installation in command time',
    unit: '%',
    paper: paperClassShare('Package Install'),
    sound: one('command time of class "install" / command time', ofCommands('class', 'install')),
    difference: words,
  },
  {
    id: 'bash.share_snippet',
    topic: 'tools',
    title: 'Python snippets in command time',
    unit: '%',
    paper: paperClassShare('Python Snippet'),
    sound: one('command time of class "script" (snippets and scripts) / command time', ofCommands('class', 'script')),
    difference: `${words} The paper's own figure changes to that of another order of the same lists (see bash.table).`,
  },
  {
    id: 'tool.timeline',
    topic: 'tools',
    title: 'When in a session which tool is called',
    unit: '%',
    paper: many('calls that start in that part of the sampled window / calls of the tool', {
      read_first30: shareOfRows(C, 'progress < 0.3', "tool = 'Read' AND progress BETWEEN 0 AND 1"),
      bash_40_80: shareOfRows(C, 'progress >= 0.4 AND progress < 0.8', "tool = 'Bash' AND progress BETWEEN 0 AND 1"),
    }),
    sound: many('the same; uniform would be 30 % and 40 %', {
      read_first30: shareOfRows(C, 'progress < 0.3', "tool = 'Read' AND progress BETWEEN 0 AND 1"),
      bash_40_80: shareOfRows(C, 'progress >= 0.4 AND progress < 0.8', "tool = 'Bash' AND progress BETWEEN 0 AND 1"),
    }),
    difference:
      "The authors' figure joins sessions of the same task name from two sets, so one hides the other; here every session counts.",
  },
];
