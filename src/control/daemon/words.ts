import type { Feedback } from '../../model/index.ts';
import { signalNumber } from '../native/index.ts';
import { feedbackFor, feedbackText } from '../policy/index.ts';
import type { Asked } from './asked.ts';
import type { Call } from './call.ts';
import type { PolicyDriver } from './policy-driver.ts';
import type { Session } from './session.ts';

/** The tool of the shells that the agent's model asked for. */
const MODELS_SHELL: Asked['tool'] = 'Bash';
/** Background calls that a session still has to be told about, at most. */
const MAX_UNTOLD = 8;
const KILLS: ReadonlySet<Feedback['kind']> = new Set(['oom', 'ceiling', 'pids', 'time']);

/** What the agent is told, from what is known of the end. */
export function feedbackOn(call: Call, policy: PolicyDriver, failed: boolean): Feedback | undefined {
  call.pauses = policy.call(call.id)?.pauses ?? call.pauses;
  const oomKilled = call.oomKills() > 0;
  if (oomKilled) call.killedBy ??= 'oom';
  const paused = call.pauses.throttledMs + call.pauses.frozenMs + (call.kept.heldMs ?? 0) > 0;
  // nothing happened: spare the reading of counters
  if (!oomKilled && !failed && !paused) return undefined;
  const record = call.record('', 'default');
  const { feedback: thresholds, call: limits } = policy.config;
  const facts = {
    oomKilled,
    pidsLimited: failed && call.pidsLimited(),
    // unknown of what was adopted
    background: call.state === 'background',
    exitStatus:
      call.state === 'background'
        ? undefined
        : record.signal
          ? 128 + signalNumber(record.signal as NodeJS.Signals)
          : record.exitCode,
    peakBytes: record.peakBytes,
    limitBytes: record.limitBytes,
    pidsMax: policy.call(call.id)?.pidsMax,
    timeLimitMs: call.state === 'background' ? limits.backgroundLimit : limits.timeLimit,
    process: record.peakProcess,
    command: call.kept.command,
    ...call.pauses,
    heldMs: call.kept.heldMs,
    killedBy: call.killedBy,
    reason: call.killReason,
  };
  return feedbackFor(facts, thresholds);
}

/** What the agent reads on stderr at the end of a call: of what was killed in the background meanwhile, then of the call itself. */
export function wordsTo(session: Session, call: Call, feedback: Feedback | undefined): string {
  // the model reads what its own calls say, not the agent's start-up shells and hooks
  const untold = call.kept.tool === MODELS_SHELL ? session.untold.splice(0) : [];
  const told = feedback ? [...untold, feedback] : untold;
  const json = call.kept.feedbackAs === 'json';
  return told.map((f) => (json ? `${JSON.stringify({ agentcgroup: f })}\n` : feedbackText(f))).join('');
}

/** What was killed in the background has nobody to tell: its session's next call does. */
export function tellLater(session: Session, call: Call, policy: PolicyDriver): void {
  if (call.killedBy === undefined && call.oomKills() === 0) return;
  // told already, when its shell ended
  if (call.feedback && KILLS.has(call.feedback.kind)) return;
  call.feedback = feedbackOn(call, policy, true);
  if (call.feedback) session.untold = [...session.untold, call.feedback].slice(-MAX_UNTOLD);
}
