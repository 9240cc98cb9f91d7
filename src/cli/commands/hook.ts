import { type Command, InvalidArgumentError } from 'commander';

/** A hook's input is a command and its output at most; what is longer is not read. */
const MAX_INPUT = 32 * 2 ** 20;

export function addHook(program: Command): void {
  program
    .command('hook')
    .description("Answer an agent's hook: JSON on standard input and output. For the settings that `install` writes.")
    .argument('<agent>', 'claude-code, codex or gemini', (agent) => {
      if (!['claude-code', 'codex', 'gemini'].includes(agent)) throw new InvalidArgumentError('no such agent');
      return agent;
    })
    .addHelpText(
      'after',
      `
Before a shell command it tells the daemon which id the agent gave it; after it, it answers with what happened to the
command, if anything did. It never fails: outside of a session, or without a daemon, it says nothing and exits with 0.

Example:
  echo '{"hook_event_name":"PostToolUse","tool_input":{"command":"make"},"tool_use_id":"t1"}' | agentcgroup hook claude-code`,
    )
    .action(async () => {
      const { answerHook } = await import('../../control/intercept/hooks/index.ts');
      try {
        let text = '';
        for await (const part of process.stdin.setEncoding('utf8')) {
          text += part;
          if (text.length > MAX_INPUT) return;
        }
        process.stdout.write(await answerHook(text));
      } catch {
        // a hook that fails would fail the agent's call
      }
    });
}
