/** Which process is the shell of a tool call, and what the agent asked it to run. */
import { basename } from 'node:path';

const SHELLS = new Set(['sh', 'bash', 'zsh', 'dash', 'ash', 'ksh', 'fish']);

/** Is this the name (comm) of a shell? */
export function isShell(comm: string): boolean {
  return SHELLS.has(comm);
}

/**
 * The script of a shell that was started to run one (`bash -c SCRIPT`, `sh -lc SCRIPT`), as the agent gave it: what agents
 * wrap around it is taken off. Undefined for a shell without a script of its own (interactive, or running a file).
 */
export function scriptOf(argv: string[]): string | undefined {
  if (!isShell(basename(argv[0] ?? '').replace(/^-/, ''))) return undefined;
  const at = argv.findIndex((a, i) => i > 0 && /^-[a-z]*c$/i.test(a));
  const script = at > 0 ? argv[at + 1] : undefined;
  return script === undefined ? undefined : unwrapped(script);
}

/** Claude Code: `source SNAPSHOT ... && eval 'CMD' < /dev/null && pwd -P >| FILE`. Gemini CLI: `shopt ...; ( trap ... EXIT; CMD ); exit $__code`. */
function unwrapped(script: string): string {
  const evaluated = /\beval '((?:[^']|'"'"'|'\\'')*)'(?: \\?<|\s*&&\s*pwd)/.exec(script)?.[1];
  if (evaluated !== undefined) return evaluated.replaceAll(`'"'"'`, "'").replaceAll("'\\''", "'");
  const trapped = /^shopt [^;]*;\s*\(\s*trap .*? EXIT;?\s*([\s\S]*?)\s*\);?\s*exit \$__code/.exec(script)?.[1];
  return trapped ?? script;
}
