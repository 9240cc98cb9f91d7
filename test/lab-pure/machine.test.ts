import { expect, test } from 'vitest';
import { type MachineOptions, qemuArguments, virtiofsdArguments } from '../../src/lab/machine.ts';

const machine: MachineOptions = {
  accelerator: 'tcg',
  deterministic: false,
  memoryBytes: 2 ** 30 + 1,
  cpus: 3,
  image: '/k/vmlinux',
  initramfs: '/r/initramfs',
  kernelArguments: ['ACG_SWAP=1048576'],
  portSocket: '/r/port',
  rootSocket: '/r/root',
  consoleLog: '/r/console',
};
/** The value behind an option, at each of its places. */
const values = (args: string[], option: string) => args.flatMap((a, i) => (a === option ? [args[i + 1]] : []));

test('emulation is single-threaded, and its clock counts instructions only when asked', () => {
  expect(values(qemuArguments(machine), '-accel')).toEqual(['tcg,thread=single']);
  expect(values(qemuArguments(machine), '-icount')).toEqual([]);
  expect(values(qemuArguments({ ...machine, deterministic: true }), '-icount')).toEqual(['shift=1,sleep=off']);
  expect(values(qemuArguments({ ...machine, deterministic: 'fast' }), '-icount')).toEqual(['shift=0,sleep=off']);
  const kvm = qemuArguments({ ...machine, accelerator: 'kvm' });
  expect([values(kvm, '-accel'), values(kvm, '-cpu')]).toEqual([['kvm'], ['host']]);
});

test('memory is whole mebibytes, never less than asked, and shared with the file servers', () => {
  const args = qemuArguments(machine);
  expect(values(args, '-m')).toEqual(['1025M']);
  expect(values(args, '-object')).toEqual(['memory-backend-memfd,id=mem,size=1025M,share=on']);
  expect(values(args, '-smp')).toEqual(['3']);
});

test('the share is a second file system only when there is one', () => {
  const tags = (m: MachineOptions) => values(qemuArguments(m), '-device').filter((d) => d!.includes('tag='));
  expect(tags(machine)).toEqual(['vhost-user-fs-pci,chardev=root,tag=hostroot']);
  expect(tags({ ...machine, shareSocket: '/r/share' })).toHaveLength(2);
});

test('an oops ends the guest, and our words come last on its command line', () => {
  const [line] = values(qemuArguments(machine), '-append');
  expect(line).toContain('panic=-1 oops=panic');
  expect(line).toMatch(/ ACG_SWAP=1048576$/);
});

test('both file servers take the listening socket, and the root is read-only where the server can say so', () => {
  expect(virtiofsdArguments('c', '/', true).join(' ')).toBe('--fd=3 -o source=/ -o cache=always -o sandbox=chroot');
  expect(virtiofsdArguments('rust', '/', true)).toEqual(
    expect.arrayContaining(['--fd=3', '--shared-dir=/', '--cache=always', '--readonly', '--no-announce-submounts']),
  );
  expect(virtiofsdArguments('rust', '/s', false)).not.toContain('--readonly');
});
