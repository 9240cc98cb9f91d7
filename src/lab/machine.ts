/** Command lines of QEMU and virtiofsd. Pure: what there is on this machine is decided elsewhere. */

export type Accelerator = 'kvm' | 'tcg';

export interface MachineOptions {
  accelerator: Accelerator;
  /** The guest's clock counts instructions, 2 ns each (fast: 1): latencies do not depend on the host's load. TCG only. */
  deterministic: boolean | 'fast';
  memoryBytes: number;
  cpus: number;
  image: string;
  initramfs: string;
  /** Words for the kernel command line, `NAME=value` for the environment of the guest's init. */
  kernelArguments: readonly string[];
  /** Unix sockets: the port's, where we listen; virtiofsd's. */
  portSocket: string;
  rootSocket: string;
  shareSocket?: string;
  consoleLog: string;
}

/**
 * Panic at the first oops and end QEMU with it: a broken kernel must not look like a slow command. Not `quiet`: the
 * console goes to a file, and a boot that hangs must leave a trace of where.
 */
const kernelCommandLine = ['console=ttyS0', 'panic=-1', 'oops=panic', 'mitigations=off'];

const mebibyte = 2 ** 20;

/** QEMU separates sub-options by commas; one inside a value is written twice. */
const optionValue = (value: string) => value.replaceAll(',', ',,');

export function qemuArguments(m: MachineOptions): string[] {
  const memory = `${Math.ceil(m.memoryBytes / mebibyte)}M`;
  const disk = (name: string, tag: string, socket: string) => [
    ...['-chardev', `socket,id=${name},path=${optionValue(socket)}`],
    ...['-device', `vhost-user-fs-pci,chardev=${name},tag=${tag}`],
  ];
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-monitor', 'none', '-nic', 'none'],
    ...accelerator(m),
    ...['-smp', String(m.cpus), '-m', memory],
    // vhost-user devices read the guest's memory from outside of QEMU
    ...['-object', `memory-backend-memfd,id=mem,size=${memory},share=on`, '-numa', 'node,memdev=mem'],
    ...['-chardev', `file,id=console,path=${optionValue(m.consoleLog)}`, '-serial', 'chardev:console'],
    ...['-device', 'virtio-serial-pci', '-chardev', `socket,id=port,path=${optionValue(m.portSocket)}`],
    ...['-device', 'virtserialport,chardev=port,name=agentcgroup'],
    ...disk('root', 'hostroot', m.rootSocket),
    ...(m.shareSocket ? disk('share', 'share', m.shareSocket) : []),
    ...['-kernel', m.image, '-initrd', m.initramfs],
    ...['-append', [...kernelCommandLine, ...m.kernelArguments].join(' ')],
  ];
}

function accelerator({ accelerator, deterministic }: MachineOptions): string[] {
  if (accelerator === 'kvm') return ['-accel', 'kvm', '-cpu', 'host'];
  // thread=multi: 1 boot of 25 died, the kernel patching code that the other virtual CPU was executing
  const tcg = ['-accel', 'tcg,thread=single', '-cpu', 'max'];
  return deterministic ? [...tcg, '-icount', `shift=${deterministic === 'fast' ? 0 : 1},sleep=off`] : tcg;
}

/** Debian 12 has the C virtiofsd of QEMU 7.2, later releases the Rust one: same protocol, other options. */
export type FileServer = 'c' | 'rust';

export function fileServerKind(path: string): FileServer {
  return path.startsWith('/usr/lib/qemu/') ? 'c' : 'rust';
}

/**
 * `readOnly` is the host's root: cached for good, since a boot lasts minutes. The share is written on both sides: what
 * the guest writes is on the host at once, what the host writes shows in the guest within a second. The listening socket is file descriptor 3 (tether/).
 */
export function virtiofsdArguments(kind: FileServer, folder: string, readOnly: boolean): string[] {
  const cache = readOnly ? 'always' : 'auto';
  if (kind === 'c') return ['--fd=3', '-o', `source=${folder}`, '-o', `cache=${cache}`, '-o', 'sandbox=chroot'];
  return [
    ...['--fd=3', `--shared-dir=${folder}`, `--cache=${cache}`, '--sandbox=chroot'],
    // the guest overlays this tree, and an overlay refuses what is mounted on demand inside its lower layer
    '--no-announce-submounts',
    ...(readOnly ? ['--readonly'] : []),
  ];
}
