import { describe, expect, test } from 'vitest';
import { askedOf } from '../../../src/control/daemon/asked.ts';

const asked = (args: string[], env = {}, agent: string[] = []) => askedOf({ args, env }, agent);

describe('what a shell was asked for', () => {
  test.each([
    [['bash', '-c', 'ls -l'], 'ls -l'],
    [['bash', '-lc', 'ls'], 'ls'],
    [['bash', '-c', '-l', 'ls'], 'ls'],
    [['bash', '--norc', '-o', 'pipefail', '-c', 'a | b', 'name', '-x'], 'a | b'],
    [['bash', '-c', '-O', 'extglob', '--', '-odd'], '-odd'],
    [['sh', '/usr/bin/lsb_release', '-a'], 'sh /usr/bin/lsb_release -a'],
    [['sh', '-c'], 'sh -c'],
    [['bash'], 'bash'],
    [[], ''],
    [['bash', '-c', `source X && eval 'echo '"'"'a'"'"' b' < /dev/null && pwd -P >| F`], `echo 'a' b`],
    [['bash', '-c', `__CODEX_SNAPSHOT_X=1\nexec '/bin/bash' -c 'no'\n\nexec '/bin/bash' -c 'it'"'"'s'`], `it's`],
  ])('%j', (args, command) => expect(asked(args).command).toBe(command));

  test('shells of the agent itself are told apart where the agent names its calls', () => {
    const claude = ['/opt/claude', '-p', 'x'];
    expect(asked(['bash', '-c', 'env'], {}, claude).tool).toBe('start-up');
    expect(asked(['bash', '-c', 'env'], { CLAUDE_CODE_SESSION_ID: 'a-b' }, claude)).toMatchObject({
      tool: 'Bash',
      agentSessionId: 'a-b',
    });
    expect(asked(['bash', '-c', 'env'], { CODEX_SESSION_ID: 's' }, ['node', '/x/codex', 'exec']).tool).toBe('start-up');
    expect(asked(['bash', '-c', 'env'], {}, ['opencode']).tool).toBe('Bash');
    expect(asked(['bash', '-c', 'env'], {}, []).tool).toBe('Bash');
  });

  test('a hook of ours is no tool call, and nothing can follow it unseen', () => {
    expect(asked(['sh', '-c', `'/n/node' '/x/bin/agentcgroup.js' hook claude-code`]).tool).toBe('hook');
    expect(asked(['sh', '-c', 'agentcgroup hook codex']).tool).toBe('hook');
    expect(asked(['sh', '-c', 'agentcgroup hook codex; make']).tool).toBe('Bash');
    expect(asked(['sh', '-c', '$(make) agentcgroup hook codex']).tool).toBe('Bash');
  });

  test('ids that are no ids are dropped', () => {
    const env = { CODEX_TOOL_CALL_ID: 'a;b', PI_SESSION_ID: 'x'.repeat(129) };
    expect(asked(['bash', '-c', 'ls'], env)).toMatchObject({ agentCallId: undefined, agentSessionId: undefined });
    expect(asked(['bash', '-c', 'ls'], { AGENTCGROUP_CALL_ID: 'toolu_01A', CODEX_TOOL_CALL_ID: 'b' }).agentCallId).toBe(
      'toolu_01A',
    );
  });
});
