import type { Thresholds } from '../measure/session.ts';
import { type Definition, many, one, over, quotient, type Share, shareOfRows } from './definition.ts';

const S = 'samples_used' as const;
const pairs = 'd_mem_mb IS NOT NULL AND dt_s > 0 AND dt_s < 2';
const real = 'NOT gone';

/** What coincides with tool calls, and how fast things change. */
export function burstDefinitions({ burstMb, burstCpu }: Thresholds): Definition[] {
  const inCall = (condition: string): Share => shareOfRows(S, 'in_call', condition);
  const inLeaf = (condition: string): Share => shareOfRows(S, 'in_leaf', condition);
  const time = shareOfRows(S, 'in_call');
  const timeLeaf = shareOfRows(S, 'in_leaf', real);
  const exact = `mem_mb > ${burstMb}`;
  const sliced = `sliced_mb > ${burstMb}`;
  const envelope =
    "A sub-agent's envelope covers minutes in which its model thinks; a burst inside it need not be in any call. The sound form counts leaf calls only.";
  const parser =
    'The authors\' parser cuts the last three characters of the text, so that "185MB" is 18: values without a decimal point drop out of the bursts.';
  return [
    {
      id: 'burst.time_share',
      topic: 'bursts',
      title: 'Samples inside tool calls',
      unit: '%',
      paper: one('samples whose time lies in the closed interval of any call / samples', time),
      sound: one('samples in leaf calls / samples of a live container', timeLeaf),
      difference: envelope,
    },
    {
      id: 'burst.mem_in_tool',
      topic: 'bursts',
      title: `Memory bursts (above ${burstMb} MB) inside tool calls`,
      unit: '%',
      paper: one('samples above the level (sliced sizes) in any call / samples above the level', inCall(sliced)),
      sound: one(
        'samples above the level (exact sizes) in a leaf call / samples above the level',
        inLeaf(`${exact} AND ${real}`),
      ),
      difference: `${parser} ${envelope}`,
    },
    {
      id: 'burst.mem_in_tool_buggy',
      topic: 'bursts',
      title: `Memory bursts (above ${burstMb} MB) inside tool calls: what the parser alone changes`,
      unit: '%',
      paper: one('samples above the level (sliced sizes) in any call / samples above the level', inCall(sliced)),
      sound: one('samples above the level (exact sizes) in any call / samples above the level', inCall(exact)),
      difference: parser,
    },
    {
      id: 'burst.concentration',
      topic: 'bursts',
      title: 'Concentration of memory bursts in tool calls',
      unit: 'x',
      paper: one(
        'share of burst samples (exact sizes) in calls / share of all samples in calls',
        quotient(inCall(exact), time),
      ),
      sound: one('the same with leaf calls', quotient(inLeaf(`${exact} AND ${real}`), timeLeaf)),
      difference: envelope,
    },
    {
      id: 'burst.cpu_in_tool',
      topic: 'bursts',
      title: `CPU bursts (above ${burstCpu} %) inside tool calls`,
      unit: '%',
      paper: one(
        'samples as recorded above the level in any call / samples above the level',
        inCall(`cpu > ${burstCpu}`),
      ),
      sound: one(
        'intervals with a rate above the level that end in a leaf call / intervals above the level',
        inLeaf(`cpu_inst > ${burstCpu}`),
      ),
      difference: `Recorded values are lifetime averages, which stay high after the work has ended. ${envelope}`,
    },
    {
      id: 'burst.cpu_in_tool_inst',
      topic: 'bursts',
      title: `CPU bursts (above ${burstCpu} %) inside tool calls, de-averaged`,
      unit: '%',
      paper: null,
      sound: one(
        'intervals with a rate above the level that end in any call / intervals above the level',
        inCall(`cpu_inst > ${burstCpu}`),
      ),
      difference: '',
    },
    {
      id: 'burst.leaf',
      topic: 'bursts',
      title: 'Attribution without sub-agent envelopes',
      unit: '%',
      paper: null,
      sound: many(
        'samples in leaf calls / samples; the same among memory bursts (exact sizes) and CPU bursts (interval rates)',
        {
          time: shareOfRows(S, 'in_leaf'),
          memory: inLeaf(exact),
          cpu: inLeaf(`cpu_inst > ${burstCpu}`),
        },
      ),
      difference: '',
    },
    {
      id: 'burst.golden',
      topic: 'bursts',
      title: 'Burst samples',
      unit: 'samples',
      paper: many('samples above the level, as recorded and by the slicing parser', {
        memory: over(S, 'sum', `(${sliced})::INTEGER`),
        cpu: over(S, 'sum', `(cpu > ${burstCpu})::INTEGER`),
      }),
      sound: many('samples above the level, exact sizes and interval rates', {
        memory: over(S, 'sum', `(${exact})::INTEGER`),
        cpu: over(S, 'sum', `(cpu_inst > ${burstCpu})::INTEGER`),
      }),
      difference: parser,
    },
    {
      id: 'rate.max',
      topic: 'change',
      title: 'Largest change of memory',
      unit: 'MB, MB/s',
      paper: many('between two samples; divided by their distance', {
        delta: over(S, 'max', 'abs(d_mem_mb)'),
        rate: over(S, 'max', 'abs(d_mem_mb) / dt_s', 'dt_s > 0'),
      }),
      sound: many('the same among samples of a live container', {
        delta: over(S, 'max', 'abs(d_mem_mb)', real),
        rate: over(S, 'max', 'abs(d_mem_mb) / dt_s', `dt_s > 0 AND ${real}`),
      }),
      difference: 'The fall to zero when the container ends is no change of demand.',
    },
    {
      id: 'rate.cpu',
      topic: 'change',
      title: 'Largest change of CPU',
      unit: '%/s',
      paper: one('|difference of recorded values| / distance', over(S, 'max', 'abs(d_cpu) / dt_s', 'dt_s > 0')),
      sound: one(
        '99th percentile of |difference of interval rates| / distance',
        over(S, 'p99', 'abs(d_cpu_inst) / dt_s', 'dt_s > 0'),
      ),
      difference:
        'Recorded values are lifetime averages: their largest changes are start-up and the zero after the end. One maximum also says little; the sound form is a high percentile of true rates.',
    },
    {
      id: 'rate.gt100',
      topic: 'change',
      title: 'Intervals in which memory changes by more than 100 MB/s',
      unit: '%',
      paper: one(
        'intervals shorter than 2 s with |change| / distance > 100 MB/s / such intervals',
        shareOfRows(S, 'abs(d_mem_mb) / dt_s > 100', pairs),
      ),
      sound: one(
        'the same among samples of a live container',
        shareOfRows(S, 'abs(d_mem_mb) / dt_s > 100', `${pairs} AND ${real}`),
      ),
      difference: 'The range the paper gives for this rule belongs to the other rule (rate.burst_rule).',
    },
    {
      id: 'rate.burst_rule',
      topic: 'change',
      title: 'Intervals with a change of CPU above 20 %/s or of memory above 50 MB/s',
      unit: '%',
      paper: one(
        'intervals shorter than 2 s, recorded CPU values / such intervals',
        shareOfRows(S, 'abs(d_cpu) / dt_s > 20 OR abs(d_mem_mb) / dt_s > 50', pairs),
      ),
      sound: one(
        'the same with memory alone, among samples of a live container',
        shareOfRows(S, 'abs(d_mem_mb) / dt_s > 50', `${pairs} AND ${real}`),
      ),
      difference: 'The CPU part compares lifetime averages, which change by 20 %/s only at start-up.',
    },
  ];
}
