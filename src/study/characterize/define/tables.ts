import { commandClasses, paperOrders } from '../measure/classes.ts';
import type { Store } from '../store.ts';
import { type Definition, many, over, percent } from './definition.ts';

const C = 'calls_used' as const;
/** Tools named in the table, by time; the rest is in the CSV of the figure. */
const rows = 12;

/** SQL text literal. */
const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** Definitions with one part per tool or class; which tools there are, the data says. */
export async function tableDefinitions(store: Store): Promise<Definition[]> {
  const tools = (
    await store.rows(
      `SELECT tool FROM calls_used WHERE dur_s IS NOT NULL GROUP BY tool ORDER BY sum(dur_s) DESC, tool LIMIT ${rows}`,
    )
  ).map((r) => String(r.tool));
  const commandShare = (column: string, name: string) =>
    percent(C, `CASE WHEN ${column} = ${quoted(name)} THEN dur_s ELSE 0 END`, 'dur_s', 'is_command');
  const seen = 'is_command AND dur_s >= 0.1 AND samples_in > 0';
  const classes = [...paperOrders.time, 'Other'];
  return [
    {
      id: 'tool.table',
      topic: 'tools',
      title: 'Time by tool',
      unit: 's',
      paper: many(
        'sum of durations',
        Object.fromEntries(tools.map((t) => [t, over(C, 'sum', 'dur_s', `tool = ${quoted(t)}`)])),
      ),
      sound: many(
        'sum of durations, envelopes left out',
        Object.fromEntries(tools.map((t) => [t, over(C, 'sum', 'dur_s', `NOT envelope AND tool = ${quoted(t)}`)])),
      ),
      difference: "An envelope's time is the time of what is in it, and of its model.",
    },
    {
      id: 'bash.table',
      topic: 'tools',
      title: 'Command time by class',
      unit: '%',
      paper: many("command time of the class / command time; the paper's words in its two orders", {
        ...Object.fromEntries(classes.map((c) => [`${c} (order of the time table)`, commandShare('class_time', c)])),
        ...Object.fromEntries(
          [...paperOrders.spike, 'Other'].map((c) => [
            `${c} (order of the spike table)`,
            commandShare('class_spike', c),
          ]),
        ),
      }),
      sound: many(
        'command time of the class / command time; classes by the programs that run',
        Object.fromEntries(commandClasses.map((c) => [c, commandShare('class', c)])),
      ),
      difference:
        'Words anywhere in the text against programs that run; and in the paper the order of its lists moves figures by several points.',
    },
    {
      id: 'spike.table',
      topic: 'calls',
      title: 'Memory rise in a command by class, 95th percentile',
      unit: 'MB',
      paper: many(
        "highest sample in the call - last one before it; sliced sizes, the paper's classes",
        Object.fromEntries(
          [...paperOrders.spike, 'Other'].map((c) => [
            c,
            over(C, 'p95', 'rise_sliced_mb', `${seen} AND class_spike = ${quoted(c)}`),
          ]),
        ),
      ),
      sound: many(
        'the same with exact sizes, classes by the programs that run',
        Object.fromEntries(
          commandClasses.map((c) => [c, over(C, 'p95', 'rise_mb', `${seen} AND class = ${quoted(c)}`)]),
        ),
      ),
      difference:
        "Sizes without a decimal point are read ten times too small by the authors' parser, which invents rises.",
    },
  ];
}
