import { basename } from 'node:path';
import { AgentId } from '../../model/index.ts';
import type { Open } from '../intercept/index.ts';
import { unwrapCommand } from '../policy/index.ts';

/** What a shim's question says about itself. Everything in it is the agent's word: for the record, never for a decision about trust. */
export interface Asked {
  /** `Bash`; `start-up` for a shell that the agent runs for itself, not for its model; `hook` for a command of ours among its hooks. */
  tool: 'Bash' | 'start-up' | 'hook';
  command: string;
  agentCallId: string | undefined;
  agentSessionId: string | undefined;
}

/** Agents that name their session or call in the environment of every shell that their model asked for, and in no other. */
const identity: Readonly<Record<string, keyof Open['env']>> = {
  claude: 'CLAUDE_CODE_SESSION_ID',
  codex: 'CODEX_TOOL_CALL_ID',
  pi: 'PI_SESSION_ID',
};

/** `agentArgv`: the command line the session was started with. */
export function askedOf({ args, env }: Pick<Open, 'args' | 'env'>, agentArgv: readonly string[]): Asked {
  const command = unwrapCommand(scriptOf(args));
  return {
    tool: toolOf(command, env, agentArgv),
    command,
    agentCallId: identifier(env.AGENTCGROUP_CALL_ID ?? env.CODEX_TOOL_CALL_ID),
    agentSessionId: identifier(env.CLAUDE_CODE_SESSION_ID ?? env.CODEX_SESSION_ID ?? env.PI_SESSION_ID),
  };
}

function identifier(text: string | undefined): string | undefined {
  return text === undefined ? undefined : AgentId.safeParse(text).data;
}

function toolOf(command: string, env: Open['env'], agentArgv: readonly string[]): Asked['tool'] {
  if (/^['"\w./@+ -]*\bagentcgroup(\.js)?['"]? hook [a-z-]+$/.test(command)) return 'hook';
  // an agent that is a script has its interpreter first
  const agent = agentArgv.slice(0, 2).find((arg) => Object.hasOwn(identity, basename(arg)));
  return agent !== undefined && env[identity[basename(agent)]!] === undefined ? 'start-up' : 'Bash';
}

/** The command string of `bash [options] -c [options] SCRIPT`; without -c the whole command line. */
function scriptOf(args: readonly string[]): string {
  let dashC = false;
  for (let i = 1; i < args.length; i++) {
    const arg = args[i]!;
    if (!/^[-+]./.test(arg)) return dashC ? arg : args.join(' ');
    if (/^-[A-Za-z]*c/.test(arg)) dashC = true;
    // these take a name of their own
    if (/^[-+][A-Za-z]*[oO]$/.test(arg)) i++;
    if (arg === '--') return dashC && args[i + 1] !== undefined ? args[i + 1]! : args.join(' ');
  }
  return args.join(' ');
}
