/** Everything that was decided about a call and why, in order, for a person to read. */
import { type CallRecord, formatDuration, formatSize } from '../../model/index.ts';
import { sanitise } from './hint.ts';

/** How the call ended, in words. */
function ending(r: CallRecord): string {
  const after = r.durationMs === undefined ? '' : ` after ${formatDuration(r.durationMs)}`;
  if (r.end === undefined) return 'still running';
  if (r.killedBy === 'oom') return `killed by the kernel for memory${after}`;
  if (r.killedBy === 'ladder') return `killed by the policy${after}`;
  if (r.killedBy === 'limit') return `killed at its time limit${after}`;
  if (r.killedBy) return `ended by the ${r.killedBy}${after}`;
  if (r.signal) return `ended by signal ${r.signal}${after}`;
  return `ended${after}${typeof r.exitCode === 'number' ? ` with exit status ${r.exitCode}` : ''}`;
}

/** The lines of `agentcgroup explain`. Times are since the start of the call; text from agents is made printable. */
export function explainCall(r: CallRecord): string[] {
  const lines = [
    `${r.call} in session ${r.session} of tenant ${r.tenant}: ${r.command === undefined ? r.tool : sanitise(r.command, 100)}`,
  ];
  const at = (t: number) => `${t < r.start ? '-' : '+'}${formatDuration(Math.abs(t - r.start))}`.padStart(9);
  const line = (t: number, text: string) => lines.push(`${at(t)}  ${text}`);
  if (r.hint && Object.keys(r.hint).length > 0)
    line(
      r.start,
      `the agent declared ${Object.entries(r.hint)
        .map(([k, v]) => `${k} ${k === 'memory' && typeof v === 'number' ? formatSize(v) : v}`)
        .join(', ')}`,
    );
  for (const error of r.hintErrors ?? []) line(r.start, `ignored in the hint: ${sanitise(error, 120)}`);
  for (const e of (r.explanations ?? []).toSorted((a, b) => a.t - b.t)) line(e.t, sanitise(e.text, 300));
  if ((r.explanations ?? []).length === 0) line(r.start, 'nothing had to be decided: it ran undisturbed');
  line(r.end ?? r.start, ending(r));
  const numbers = [
    r.peakBytes !== undefined && `peak ${formatSize(r.peakBytes)}`,
    r.limitBytes !== undefined && `ceiling ${formatSize(r.limitBytes)}`,
    r.heldMs && `held ${formatDuration(r.heldMs)}`,
    r.throttledMs && `throttled ${formatDuration(r.throttledMs)}`,
    r.frozenMs && `frozen ${formatDuration(r.frozenMs)}`,
  ].filter(Boolean);
  if (numbers.length > 0) lines.push(`${''.padStart(9)}  ${numbers.join(', ')}`);
  if (r.feedback) lines.push(`${''.padStart(9)}  the agent was told: ${r.feedback.text} ${r.feedback.advice}`);
  return lines;
}
