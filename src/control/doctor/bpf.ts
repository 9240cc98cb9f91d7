import { AcgError, type Capability, no, unknown, yes } from '../../model/index.ts';
import { Monitor } from '../kernel/index.ts';

/** Puts our monitor into the kernel, beside one that a daemon may have there, and takes it out again. */
export function bpfRow(): Capability {
  try {
    using monitor = new Monitor({ pinRoot: false });
    const { hooks } = monitor.program;
    const off = hooks.filter((hook) => !hook.on).map((hook) => hook.name);
    return yes(
      'BPF',
      `the monitor loads, ${hooks.length - off.length} of ${hooks.length} hooks${off.length ? `; not ${off.join(', ')}` : ''}`,
    );
  } catch (error) {
    if (!(error instanceof AcgError)) return unknown('BPF', String(error));
    if (error.code === 'ACG_NATIVE_MISSING') return unknown('BPF', `not built: ${error.detail}`, 'npm run setup');
    if (error.code === 'ACG_BPF_UNSUPPORTED')
      return no('BPF', error.detail, 'run as root, or with CAP_BPF and CAP_PERFMON');
    if (error.code === 'ACG_BPF_LOAD')
      return no('BPF', error.detail, 'a kernel from Debian 13 on (tier cgroup needs none of it)');
    return unknown('BPF', error.message);
  }
}
