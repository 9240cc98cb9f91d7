import type { BpfFailure } from './addon.ts';

/** What libbpf and the verifier say at length, in the part that matters. */

/** The verifier was interrupted, at each of libbpf's tries: that says nothing about the program. */
const interrupted = 'EAGAIN';

/**
 * The program of the object that the kernel refused; undefined when it was something else (a map, memory), or when the verifier never
 * came to an end: who leaves that program out leaves it out for as long as it is pinned.
 */
export function refusedProgram({ code, messages }: Pick<BpfFailure, 'code' | 'messages'>): string | undefined {
  return code === interrupted ? undefined : /^libbpf: prog '([^']+)':/m.exec(messages)?.[1];
}

/** Statistics the verifier ends every log with. */
const tail = /^(processed \d+ insns|verification time|stack depth|insns processed|peak_states)/;

/** What libbpf prints beside what it means. */
const chatter = /^libbpf: (failed to load object|-- |permission error while|prog '.*': failed to load)/;

const lines = (text: string, leave: RegExp) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !leave.test(line));

/**
 * One line: errno's name and the end of the verifier's log, or libbpf's own words where the verifier was not reached. The last
 * lines name the instruction and what is wrong with it; the register dumps before them are in the error's cause.
 */
export function verdict({ code, log, messages }: Pick<BpfFailure, 'code' | 'log' | 'messages'>): string {
  if (code === interrupted) return `${code}: not refused: something interrupted the verifier at each try`;
  const verifier = lines(log, tail).slice(-3);
  const words = verifier.length > 0 ? verifier : lines(messages, chatter).slice(0, 2);
  return [code, ...words.map((line) => line.replace(/^libbpf: /, ''))].join(': ').slice(0, 600);
}
