import { Command } from 'commander';
import { expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.ts';

const program = new Command('agentcgroup').enablePositionalOptions();
for (const load of Object.values(commands)) (await load())(program);

/** Every command and subcommand, by the words that call it. */
function all(command: Command, words: string[] = []): [string, Command][] {
  return command.commands.flatMap((sub) => {
    const path = [...words, sub.name()];
    return [[path.join(' '), sub] as [string, Command], ...all(sub, path)];
  });
}

function helpOf(command: Command): string {
  const parts: string[] = [];
  command.configureOutput({ writeOut: (part) => void parts.push(part) }).outputHelp();
  return parts.join('');
}

test.each(all(program))('%s says what it does in a sentence, and by example', (path, command) => {
  expect(command.description()).toMatch(/^[A-Z].*\.$/);
  if (command.commands.length > 0) return;
  expect(helpOf(command)).toMatch(new RegExp(`^Examples?:\\n  .*agentcgroup ${path}`, 'm'));
});
