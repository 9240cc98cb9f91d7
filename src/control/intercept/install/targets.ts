import { homedir } from 'node:os';
import { join } from 'node:path';
import type { HookEntries } from './insert.ts';

/** Where and what `install` writes for an agent: hooks into its settings, or a file of our own that it loads. */
export type Target = { file: string } & ({ hooks: HookEntries } | { content: string });

/** Names as people say them; the order is that of --help. */
export const installable = ['claude-code', 'codex', 'opencode', 'pi', 'gemini'] as const;
export type Installable = (typeof installable)[number];

export interface Where {
  /** The command line of this program, as words. */
  program: readonly string[];
  /** The folder with our modules for opencode and pi; they end in `extension`. */
  modules: string;
  extension: '.ts' | '.js';
  /** A project's folder instead of the user's own settings. */
  project?: string | undefined;
  env?: NodeJS.ProcessEnv;
}

const shellWord = (word: string) => (/^[\w./@%+=:-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

export function targetOf(agent: Installable, where: Where): Target {
  const { env = process.env, project } = where;
  const home = env.HOME || homedir();
  const command = (name: string) => [...where.program, 'hook', name].map(shellWord).join(' ');
  const module = JSON.stringify(join(where.modules, agent + where.extension));
  switch (agent) {
    case 'claude-code': {
      const entry = { matcher: 'Bash', hooks: [{ type: 'command', command: command(agent), timeout: 10 }] };
      const file = join(
        project ? join(project, '.claude') : env.CLAUDE_CONFIG_DIR || join(home, '.claude'),
        'settings.json',
      );
      return { file, hooks: { PreToolUse: entry, PostToolUse: entry, PostToolUseFailure: entry } };
    }
    case 'codex': {
      const entry = { matcher: 'Bash', hooks: [{ type: 'command', command: command(agent), timeout: 10 }] };
      const file = join(project ? join(project, '.codex') : env.CODEX_HOME || join(home, '.codex'), 'hooks.json');
      return { file, hooks: { PreToolUse: entry, PostToolUse: entry } };
    }
    case 'gemini': {
      // its time limits are in milliseconds
      const hook = { type: 'command', name: 'agentcgroup', command: command(agent), timeout: 10_000 };
      const entry = { matcher: 'run_shell_command', hooks: [hook] };
      return {
        file: join(project ?? home, '.gemini/settings.json'),
        hooks: { BeforeTool: entry, AfterTool: entry },
      };
    }
    case 'opencode':
      return {
        file: join(
          project ? join(project, '.opencode') : join(env.XDG_CONFIG_HOME || join(home, '.config'), 'opencode'),
          'plugin/agentcgroup.js',
        ),
        content: `${HEADER}export const AgentCgroup = async (context) => {
  try {
    return await (await import(${module})).AgentCgroup(context);
  } catch {
    return {};
  }
};
`,
      };
    case 'pi':
      return {
        file: join(
          project ? join(project, '.pi') : env.PI_CODING_AGENT_DIR || join(home, '.pi/agent'),
          'extensions/agentcgroup.js',
        ),
        content: `${HEADER}export default async function agentcgroup(pi) {
  try {
    (await import(${module})).default(pi);
  } catch {}
}
`,
      };
  }
}

const HEADER = `// Written by \`agentcgroup install\`; \`agentcgroup uninstall\` removes it.
// Without agentcgroup on this machine it does nothing.
`;
