import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CommandClass, commandClass, typicalBytes, unwrapCommand } from '../../../src/control/policy/index.ts';

test.each<[string, CommandClass]>([
  ['pytest -q', 'pytest'],
  ['cd /repo && timeout 60 python3.11 -m pytest -x tests', 'pytest'],
  ['uv run pytest', 'pytest'],
  ['npx jest --ci', 'js-test'],
  ['npm test', 'js-test'],
  ['npm run test:unit', 'js-test'],
  ['node --test', 'js-test'],
  ['make check', 'test'],
  ['npm run build', 'bundler'],
  ['npx webpack', 'bundler'],
  ['yarn tsc -p .', 'typescript'],
  ['yarn add left-pad', 'npm'],
  ['npx tsc -p .', 'typescript'],
  ['make -j8', 'make'],
  ['for i in 1 2; do make; done', 'make'],
  ['cargo build', 'cargo'],
  ['go test ./...', 'go'],
  ['./gradlew test', 'java'],
  ['pip install -r requirements.txt', 'pip'],
  ['python -m pip install x', 'pip'],
  ['npm ci', 'npm'],
  ['sudo apt-get install -y jq', 'install'],
  ['npm run dev', 'server'],
  ['python manage.py runserver', 'server'],
  ['git status', 'vcs'],
  ['git commit -m "fix; make pytest happy"', 'vcs'],
  ['grep -rn foo .', 'search'],
  ['CI=1 FOO=2 python load.py', 'python'],
  ['node build.js', 'node'],
  ['ls -la && cat x', 'small'],
  ['./run.sh', 'other'],
  ['', 'other'],
])('%s is %s', (command, kind) => {
  expect(commandClass(command)).toBe(kind);
});

test('the heaviest of several counts', () => {
  expect(commandClass('git pull && npm ci && npx vitest run')).toBe('js-test');
});

test('what an agent wraps around a command is taken off', () => {
  expect(unwrapCommand(`source /x && eval 'echo '"'"'a'"'"' b' < /dev/null && pwd`)).toBe("echo 'a' b");
  expect(unwrapCommand("source /x && eval 'unclosed")).toBe('unclosed');
  expect(unwrapCommand('plain')).toBe('plain');
  expect(commandClass("source /x && eval 'npm ci' < /dev/null && pwd -P >| /tmp/f")).toBe('npm');
});

test('every string has a class with a typical need', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc
          .array(fc.constantFrom('npx', 'timeout', '-n', 'uv', 'run', ';', '"', 'pytest', 'env', 'A=1'))
          .map((w) => w.join(' ')),
      ),
      (s) => typicalBytes[commandClass(s)] > 0,
    ),
    { numRuns: 5000 },
  );
});
