import { describe, expect, test } from 'vitest';
import { cannotRun } from './scratch.ts';
import { Session } from './session.ts';

describe.skipIf(cannotRun)(`the shim${cannotRun ? ` (${cannotRun})` : ''}`, () => {
  test('a command is born in a cgroup of its own and reported', async () => {
    await using session = await Session.start();
    session.daemon.answer = () => ({ opened: { oomScoreAdj: 7 }, closed: 'note' });
    const { stdout, stderr, code } = await session.run(session.shim('bash'), [
      'bash',
      '-c',
      'cat /proc/self/cgroup /proc/self/oom_score_adj; exit 3',
    ]);
    expect(stdout).toMatch(/^0::.*\/tool-1$/m);
    expect(stdout).toMatch(/^7$/m);
    expect(stderr).toBe('note\n');
    expect(code).toBe(3);
    const [call] = session.daemon.calls;
    expect(call!.open).toMatchObject({ shell: 'bash', args: ['bash', '-c', expect.any(String)], stdinIsTty: false });
    expect(call!.ended!.status).toBe(3 << 8);
  });
});
