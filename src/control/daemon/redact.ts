import type { Config } from '../../model/index.ts';

/** What is kept of a command; the shim has cut it to 64 KiB already, and an xattr holds no more than that. */
const MAX_COMMAND = 16 * 1024;

/** How commands go into records: as they are, with secrets replaced by "...", or not at all. */
export function redactor({ commands, redact }: Config['record']): (command: string) => string | undefined {
  if (commands === 'none') return () => undefined;
  const patterns = commands === 'redacted' ? redact.map((pattern) => new RegExp(pattern, 'gu')) : [];
  return (command) => {
    const cut = command.length > MAX_COMMAND ? `${command.slice(0, MAX_COMMAND)}…` : command;
    return patterns.reduce((text, pattern) => text.replace(pattern, '...'), cut);
  };
}
