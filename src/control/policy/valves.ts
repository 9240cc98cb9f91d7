/** Safety valves: what is stopped whether or not memory is short. */
import { formatDuration, formatSize } from '../../model/index.ts';
import { type Draft, modeOf, sayOfSession } from './draft.ts';
import { kill } from './ladder.ts';
import { levelOf, scopesOf } from './scopes.ts';

/** A fork bomb is stopped at its call: it keeps hitting its limit of processes and never gets below it. */
export function forkBombs(d: Draft): void {
  const after = d.state.config.ladder.forkBombAfter;
  for (const c of d.calls) {
    if (c.pidsSince === null || c.rung === 'killed') continue;
    if (d.now - c.pidsLast > 1000) c.pidsSince = null;
    else if (d.now - c.pidsSince >= after)
      kill(
        d,
        c,
        'pids',
        `at its limit of ${c.pidsMax} processes for ${formatDuration(d.now - c.pidsSince)} and still forking`,
      );
  }
}

/** Time limits, for calls and for what they leave running in the background. Off unless configured. */
export function timeLimits(d: Draft): void {
  const { timeLimit, backgroundLimit } = d.state.config.call;
  for (const c of d.calls) {
    if (c.phase === 'held' || c.rung === 'killed') continue;
    if (timeLimit !== undefined && c.phase !== 'background' && d.now - c.startedAt >= timeLimit)
      kill(d, c, 'time', `ran for ${formatDuration(d.now - c.startedAt)}, limit ${formatDuration(timeLimit)}`);
    else if (backgroundLimit !== undefined && c.backgroundAt !== null && d.now - c.backgroundAt >= backgroundLimit)
      kill(
        d,
        c,
        'time',
        `in the background for ${formatDuration(d.now - c.backgroundAt)}, limit ${formatDuration(backgroundLimit)}`,
      );
  }
}

/**
 * An agent leaf that itself runs away: reported once; throttled, for a bounded time, while memory is short. Never frozen,
 * never killed by us: its own memory.max (session.agentMax) is its end.
 */
export function runawayAgents(d: Draft): void {
  const { session: limits, ladder } = d.state.config;
  let scopes: ReturnType<typeof scopesOf> | undefined;
  for (const s of d.sessions) {
    const runaway = s.agent.working > Math.max(limits.agentSoft, 4 * s.baseline);
    if (!runaway && s.throttledSince === null) {
      if (s.agent.working < limits.agentSoft) s.reported = false;
      continue;
    }
    if (modeOf(d, s) === 'off') {
      // what was in force is lifted with all else
      s.throttledSince = null;
      continue;
    }
    const grown = `the agent itself uses ${formatSize(s.agent.working)}, its baseline is ${formatSize(s.baseline)}`;
    if (!s.reported) {
      s.reported = true;
      sayOfSession(d, 'agent', s, `${grown}; hard ceiling ${formatSize(limits.agentMax)}`);
    }
    scopes ??= scopesOf(d);
    const short = scopes.some((x) => x.sessions.includes(s) && ['short', 'critical'].includes(levelOf(d, x)));
    const target = { kind: 'agent', session: s.id } as const;
    if (s.throttledSince === null) {
      if (!short || d.now < s.restUntil || modeOf(d, s) !== 'enforce') continue;
      s.throttledSince = d.now;
      s.applied = { ...s.applied, high: s.agent.current };
      d.actions.push({ type: 'throttle', target, high: s.agent.current, bytesPerSecond: 1 << 20 });
      sayOfSession(
        d,
        'agent',
        s,
        `${grown}: throttled while memory is short, ${formatDuration(ladder.throttleMax)} at most`,
      );
    } else if (!short || d.now - s.throttledSince >= ladder.throttleMax) {
      s.throttledSince = null;
      s.restUntil = d.now + ladder.rest;
      s.applied = { ...s.applied, high: 'max' };
      d.actions.push({ type: 'unthrottle', target, high: 'max' });
      sayOfSession(
        d,
        'agent',
        s,
        short ? 'agent released: the bound of its throttle is reached' : 'agent released: memory is not short',
      );
    }
  }
}
