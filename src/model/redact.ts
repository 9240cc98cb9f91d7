import type { Config } from './config.ts';

/**
 * What of a command line may be recorded: all of it, the text with every match of the configured expressions replaced by
 * "...", or nothing (undefined).
 */
export function redactCommand(command: string, record: Config['record']): string | undefined {
  if (record.commands === 'none') return undefined;
  if (record.commands === 'full') return command;
  return record.redact.reduce((text, pattern) => text.replace(new RegExp(pattern, 'gu'), '...'), command);
}
