import { AcgError } from '../model/index.ts';

/** The guest did not come up to where it could run the command: trying again is safe. */
export class BootFailure extends Error {
  override name = 'BootFailure';
  /** The kernel's console, set before the failure leaves `runGuest`. */
  console = '';
}

/** A command of the lab that did not come to its own end: ACG_LAB_DIED, ACG_LAB_TIMEOUT or ACG_LAB_BOOT. */
export class LabFailure extends AcgError {
  override name = 'LabFailure';
  /** What the guest's kernel wrote on its console. */
  console = '';
  /** What the command had written, unless `onStdout` or `onStderr` took it. */
  stdout: Buffer = Buffer.alloc(0);
  stderr: Buffer = Buffer.alloc(0);
}
