import type { Config } from './config.ts';

/** What is kept of a command, characters: a record is for people, and an xattr holds 64 KiB. */
const MAX_COMMAND = 16 * 1024;
/** The expressions of a configuration, compiled once. */
const compiled = new WeakMap<Config['record'], RegExp[]>();

/**
 * What of a command line may be recorded: its first 16 Ki characters as they are, or with every match of the configured
 * expressions replaced by "...", or nothing (undefined).
 */
export function redactCommand(command: string, record: Config['record']): string | undefined {
  if (record.commands === 'none') return undefined;
  const cut = command.length > MAX_COMMAND ? `${command.slice(0, MAX_COMMAND)}…` : command;
  if (record.commands === 'full') return cut;
  let patterns = compiled.get(record);
  if (!patterns) {
    patterns = record.redact.map((pattern) => new RegExp(pattern, 'gu'));
    compiled.set(record, patterns);
  }
  return patterns.reduce((text, pattern) => text.replace(pattern, '...'), cut);
}
