import { expect, test } from 'vitest';
import { refusedProgram, verdict } from '../../../src/control/kernel/verdict.ts';

const log = `0: R1=ctx() R10=fp0
; return *(int *)0; @ bad.bpf.c:9
0: (b7) r1 = 0                        ; R1=0
1: (61) r0 = *(u32 *)(r1 +0)
R1 invalid mem access 'scalar'
verification time 51 usec
stack depth 0
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`;

test('the end of the verifier’s log without its statistics', () => {
  const words = verdict({ code: 'EACCES', log, messages: "libbpf: prog 'bad': BPF program load failed\n" });
  expect(words).toBe(
    "EACCES: 0: (b7) r1 = 0                        ; R1=0: 1: (61) r0 = *(u32 *)(r1 +0): R1 invalid mem access 'scalar'",
  );
});

test('libbpf’s words where the verifier was not reached, without its advice', () => {
  const messages = `libbpf: prog 'charge': BPF program load failed: Operation not permitted
libbpf: permission error while running as root; try raising 'ulimit -l'? current value: 8.0 MiB
libbpf: prog 'charge': failed to load: -1
libbpf: failed to load object 'monitor'
`;
  expect(verdict({ code: 'EPERM', log: '', messages })).toBe(
    "EPERM: prog 'charge': BPF program load failed: Operation not permitted",
  );
  expect(refusedProgram({ code: 'EPERM', messages })).toBe('charge');
});

test('never longer than a screenful', () => {
  expect(verdict({ code: 'E2BIG', log: 'x'.repeat(5000), messages: '' })).toHaveLength(600);
});

test('a failure that is no program’s', () => {
  const messages = "libbpf: map 'acg_events': failed to create: -22\n";
  expect(refusedProgram({ code: 'EINVAL', messages })).toBeUndefined();
});

test('a verifier that was interrupted has refused nothing, and its log tells only how far it came', () => {
  const messages = "libbpf: prog 'charge': BPF program load failed: Resource temporarily unavailable\n";
  const failure = { code: 'EAGAIN', log: '5: (61) r0 = *(u32 *)(r10 -4)\n', messages };
  expect(refusedProgram(failure)).toBeUndefined();
  expect(verdict(failure)).toBe('EAGAIN: not refused: something interrupted the verifier at each try');
});
