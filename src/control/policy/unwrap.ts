/**
 * The command the model wrote, out of the script an agent makes of it: Claude Code's `... && eval 'CMD' ...`, Codex's
 * `... exec '/bin/bash' -c 'CMD'` and Gemini CLI's `( trap ... EXIT; CMD )`. Any other text comes back unchanged.
 */
export function unwrapCommand(script: string): string {
  const text = script.slice(0, 65_536);
  const claude = text.lastIndexOf("&& eval '");
  if (claude >= 0) return quotedAt(text, claude + 9);
  if (text.startsWith('__CODEX_SNAPSHOT')) {
    const [start] = [...text.matchAll(/^exec '[^'\n]+' -l?c '/gm)].slice(-1);
    if (start) return quotedAt(text, start.index + start[0].length);
  }
  if (text.startsWith('shopt ')) {
    const open = text.indexOf(' EXIT; ');
    const close = text.lastIndexOf(' ); exit $__code');
    if (open >= 0 && close > open) return text.slice(open + 7, close);
  }
  return text;
}

/** The text inside single quotes, from `i` behind the opening one; a quote in it is written '"'"' or '\''. */
function quotedAt(text: string, start: number): string {
  let out = '';
  let i = start;
  while (i < text.length) {
    const close = text.indexOf("'", i);
    if (close < 0) return out + text.slice(i);
    out += text.slice(i, close);
    if (text.startsWith(`'"'"'`, close)) i = close + 5;
    else if (text.startsWith(`'\\''`, close)) i = close + 4;
    else return out;
    out += "'";
  }
  return out;
}
