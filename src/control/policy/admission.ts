/** Admission: a call waits, bounded, while what it needs cannot be had and someone's end would free it. */
import { formatDuration, formatSize } from '../../model/index.ts';
import { type CommandClass, typicalBytes } from './command.ts';
import { type Draft, listAgain, modeOf, sayOfCall } from './draft.ts';
import { leftBy, type Scope, scopesOf } from './scopes.ts';
import { agentNeed, type Call, rankOf, rankOfPriority, type Session, type State, sessionBudget } from './state.ts';
import { matters } from './victims.ts';

/** A `memory:high` hint promises more than a medium call (1 GiB), unknown how much. */
const HIGH_NEED = 2 * 2 ** 30;
/** A call's need counts as taken for this long after its start, whether it uses it yet or not. Milliseconds. */
const SETTLE = 3000;

/** What the next call of an agent may need, as long as nobody knows: 95 of 100 recorded commands took less. Bytes. */
const NEXT = 128 * 2 ** 20;

/**
 * A guess that keeps a call waiting counts for less and less, by this long, milliseconds, for nothing, but never for less than a tenth.
 * Most bursts are over by then; what goes on is a plateau, beside which the call finds room or is held to a pace, whatever is typical.
 * Only the governor's paces are exact enough for that.
 */
const PATIENCE = 1000;
const LEAST = 1 / 10;

/** Classes that never wait, whatever else: a person is reading their output, so to speak. */
const instant: ReadonlySet<CommandClass> = new Set(['vcs', 'search', 'small']);

/** Bytes a call will need as far as one can know: hinted, else typical of its class; never above its budgets. */
export function needOf(state: State, call: Call): number {
  const hinted = call.hint.memory === 'high' ? HIGH_NEED : call.hint.memory;
  const budget = Math.min(
    state.tenants[call.tenant]?.budget ?? Number.MAX_SAFE_INTEGER,
    sessionBudget(state.config, state.sessions[call.session]) ?? Number.MAX_SAFE_INTEGER,
  );
  return Math.min(hinted ?? typicalBytes[call.class], budget);
}

const isSmall = (state: State, c: Call): boolean =>
  c.need <= state.config.admission.small || (instant.has(c.class) && c.hint.memory === undefined);

/** An even part of what agents leave: bytes. */
function evenPart(d: Draft, s: Scope, c: Call): number {
  let left = s.limit;
  for (const x of s.sessions) left -= agentNeed(x, d.now, s.limit / s.sessions.length);
  const waiting = d.calls.filter((o) => o.phase === 'held' && s.sessions.some((x) => x.id === o.session));
  const sharers = waiting.length + s.calls.filter((o) => o.phase !== 'background').length + soonOf(d, s, c).length;
  return Math.max(0, left) / Math.max(1, sharers);
}

/**
 * What a call waits for in a scope: what it declares. Who declares nothing is not held for wanting more than an even part: what is
 * typical of a command is a guess, and the ladder is there when all guesses come true at once.
 */
function wantedOf(d: Draft, s: Scope, c: Call): number {
  if (c.hint.memory !== undefined) return c.need;
  const trust = d.state.governed ? Math.max(LEAST, 1 - (d.now - c.requestedAt) / PATIENCE) : 1;
  return trust * Math.min(c.need, evenPart(d, s, c));
}

/**
 * Sessions that rank above a call and have just now no call of their own: the next one is to find room. Nobody waits longer than a
 * rest for a call that may not come.
 */
function soonOf(d: Draft, s: Scope, c: Call): Session[] {
  if (d.now - c.requestedAt > d.state.config.ladder.rest) return [];
  const rank = rankOf(d.state, c, d.now);
  return s.sessions.filter(
    (x) =>
      x.idleSince !== null &&
      d.now - x.idleSince < d.state.config.session.idleAfter &&
      rankOfPriority[x.priority] > rank &&
      modeOf(d, x) === 'enforce',
  );
}

/**
 * Headroom less what young calls have been let in for and do not use yet, and less the room that throttled calls leave too. For others a
 * call never counts as more than an even part, whatever it declares.
 */
function available(d: Draft, s: Scope, of: Call): number {
  let promised = soonOf(d, s, of).length * Math.min(NEXT, wantedOf(d, s, of));
  for (const c of s.calls)
    if (d.now - c.startedAt < SETTLE) promised += Math.max(0, Math.min(c.need, evenPart(d, s, c)) - c.seen.working);
  return s.headroom - leftBy(d, s) - promised;
}

function admit(d: Draft, c: Call, why: string | undefined): void {
  c.phase = 'admitted';
  c.startedAt = d.now;
  d.actions.push({ type: 'admit', call: c.id });
  d.arrived.push(c);
  listAgain(d);
  if (why) sayOfCall(d, 'admission', c, why);
}

/** Answers every waiting call: higher ranks first, then in order of arrival; small ones pass by. */
export function admission(d: Draft): void {
  const held = d.calls.filter((c) => c.phase === 'held');
  if (held.length === 0) return;
  const { config } = d.state;
  const queue = held.toSorted((a, b) => rankOf(d.state, b, d.now) - rankOf(d.state, a, d.now) || a.number - b.number);
  // those behind one that waits wait too, lest a stream of smaller ones passes it for ever; but who declares more than an even part
  // holds up only its own tenant
  const blocked = new Set<string>();
  const block = (scopes: Scope[], c: Call) => {
    for (const s of scopes) {
      const own = ownKey(s, c);
      blocked.add(blocked.has(own) || c.need > evenPart(d, s, c) ? own : s.key);
    }
  };
  const ownKey = (s: Scope, c: Call) => `${s.key} of ${c.tenant}`;
  const isBlocked = (s: Scope, c: Call) => blocked.has(s.key) || blocked.has(ownKey(s, c));
  for (const c of queue) {
    const waited = d.now - c.requestedAt;
    const ofSession = d.present.filter((r) => r.session === c.session).length;
    if (modeOf(d, c) === 'off') {
      admit(d, c, undefined);
    } else if (ofSession >= config.session.maxCalls && modeOf(d, c) === 'enforce') {
      const text = `the session already runs ${ofSession} calls, its limit`;
      delete d.state.calls[c.id];
      listAgain(d);
      d.actions.push({ type: 'refuse', call: c.id, text });
      sayOfCall(d, 'admission', c, `refused: ${text}`);
    } else if (isSmall(d.state, c)) {
      admit(d, c, undefined);
    } else {
      const scopes = scopesOf(d).filter((s) => s.sessions.some((x) => x.id === c.session));
      const tight = scopes.find((s) => isBlocked(s, c) || available(d, s, c) < wantedOf(d, s, c));
      // it waits for its like only: who ranks lower makes room when it comes to that
      const rank = rankOf(d.state, c, d.now);
      const others = tight?.calls.some(
        (o) => o.phase !== 'background' && o.rung !== 'killed' && rankOf(d.state, o, d.now) >= rank && matters(d, o),
      );
      if (!tight || !others) {
        admit(d, c, waited > 0 ? `let in after ${formatDuration(waited)}` : undefined);
      } else if (modeOf(d, c) === 'observe') {
        admit(d, c, undefined);
        sayOfCall(d, 'admission', c, `held it: ${shortage(d, tight, c)}`, true);
      } else if (waited >= config.admission.maxWait) {
        admit(d, c, `let in after ${formatDuration(waited)}, the longest wait, though ${shortage(d, tight, c)}`);
      } else if (!c.held) {
        if (held.length > config.admission.maxHeld) {
          admit(d, c, `let in unheld: ${held.length} calls wait already`);
          continue;
        }
        c.held = true;
        d.actions.push({ type: 'hold', call: c.id, until: d.now + config.admission.maxWait });
        sayOfCall(d, 'admission', c, `held: ${shortage(d, tight, c)}`);
        block(scopes, c);
      } else block(scopes, c);
    }
  }
}

/** What it waits for: all it may need, or the part of that it would be let in for. */
const shortage = (d: Draft, s: Scope, c: Call) => {
  const part = wantedOf(d, s, c) < c.need ? `, of which ${formatSize(wantedOf(d, s, c))} would do` : '';
  const source = c.hint.memory === undefined ? `typical of ${c.class}` : 'hinted';
  return `needs ${formatSize(c.need)} (${source})${part}, ${s.words} has ${formatSize(Math.max(0, available(d, s, c)))} to give`;
};
