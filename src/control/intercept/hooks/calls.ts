import { ask, here } from './ask.ts';

/** Ids that agents give; the daemon takes no others. */
const ID = /^[A-Za-z0-9_.:-]{1,128}$/;
/** Feedback of a call that ended longer ago belongs to an earlier one. */
const RECENT_MS = 30_000;

interface SeenCall {
  command?: string;
  agentCallId?: string;
  end?: number;
  feedback?: { text: string; advice: string };
}

/** Before a command of the model runs: says which id of the agent's it will have. */
export async function announce(agentCallId: string | undefined, command: string): Promise<void> {
  const place = here();
  if (!place || agentCallId === undefined || !ID.test(agentCallId)) return;
  const path = `/v1/sessions/${encodeURIComponent(place.session)}/expected`;
  await ask(place.socket, 'POST', path, { agentCallId, command });
}

/**
 * After it: what the model should be told, or undefined, as a rule, because nothing happened. `shown` is what the agent shows
 * of the output: the shim's note may be in it already. Without an id the call is found by its command.
 */
export async function feedback(
  agentCallId: string | undefined,
  command: string,
  shown: string,
): Promise<string | undefined> {
  const place = here();
  if (!place) return undefined;
  const query = new URLSearchParams({ session: place.session });
  const known = agentCallId !== undefined && ID.test(agentCallId);
  if (known) query.set('agentCallId', agentCallId);
  const calls = ((await ask(place.socket, 'GET', `/v1/calls?${query}`)) ?? []) as SeenCall[];
  const since = Date.now() - RECENT_MS;
  const call = calls.findLast((c) => known || (c.command?.trim() === command.trim() && (c.end ?? 0) > since));
  if (!call?.feedback) return undefined;
  const { text, advice } = call.feedback;
  return shown.includes(text) ? undefined : `[agentcgroup] ${text} ${advice}`;
}
