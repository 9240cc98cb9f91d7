/**
 * Which kind of work a command is. Two rules: the paper's, which looks for words anywhere in the text, and ours, which
 * looks at the programs that run.
 */

/** The paper's word lists. `any`: one of the words; `first` then `followedBy`: as in `git diff`. */
interface Words {
  any?: readonly string[];
  first?: readonly string[];
  followedBy?: readonly string[];
}

const paperWords: Record<string, Words> = {
  'Test Execution': { any: ['pytest', 'tox', 'nose', 'unittest'] },
  'Git Operations': {
    first: ['git'],
    followedBy: ['diff', 'log', 'status', 'show', 'add', 'commit', 'checkout', 'stash', 'branch', 'reset'],
  },
  'Package Install': { first: ['pip', 'conda'], followedBy: ['install'], any: ['apt', 'yum'] },
  'File Exploration': { any: ['ls', 'find', 'tree', 'wc', 'du', 'df'] },
  'Python Snippet': { first: ['python', 'python3'], followedBy: ['-c'] },
  'Python Run': { any: ['python', 'python3'] },
  'Text Processing': { any: ['cat', 'head', 'tail', 'grep', 'sed', 'awk'] },
  'Shell/Environment': { any: ['cd', 'source', 'export', 'chmod', 'mkdir'] },
};

/** The authors used two orders of the same lists; the first class that matches wins, so the order changes the figures. */
export const paperOrders = {
  time: Object.keys(paperWords),
  spike: [
    'Test Execution',
    'Package Install',
    'Git Operations',
    'Python Snippet',
    'Python Run',
    'File Exploration',
    'Text Processing',
  ],
} as const;

const matchers = new Map(
  Object.entries(paperWords).map(([name, { any, first, followedBy }]) => {
    const alternatives = [];
    if (any) alternatives.push(`\\b(?:${any.join('|')})\\b`);
    if (first && followedBy) alternatives.push(`\\b(?:${first.join('|')})\\s+(?:${followedBy.join('|')})\\b`);
    return [name, new RegExp(alternatives.join('|'))] as const;
  }),
);

/** The paper's class of a command: the first in `order` one of whose words stands anywhere in it, else "Other". */
export function paperClass(command: string, order: keyof typeof paperOrders): string {
  const text = command.toLowerCase();
  return paperOrders[order].find((name) => matchers.get(name)!.test(text)) ?? 'Other';
}

/** Our classes, heaviest first: a command line that does several things counts as the heaviest of them. */
const programs: [name: string, program: RegExp][] = [
  [
    'tests',
    /^(pytest|py\.test|tox|nox|nosetests?|unittest|jest|vitest|mocha|ctest|phpunit|rspec|ava|karma|playwright)$/,
  ],
  [
    'build',
    /^(make|cmake|ninja|tsc|gcc|g\+\+|clang|cc|rustc|cargo|go|mvn|gradle|gradlew|webpack|vite|esbuild|javac|bazel)$/,
  ],
  [
    'install',
    /^(pip3?|conda|mamba|apt|apt-get|yum|dnf|apk|npm|yarn|pnpm|poetry|uv|gem|bundle|pdm|pipenv|venv|virtualenv)$/,
  ],
  ['lint', /^(mypy|pyright|flake8|ruff|pylint|black|isort|eslint|biome|prettier|pre-commit)$/],
  ['script', /^(python[\d.]*|node|ruby|perl|php|java|bash|sh|deno|bun)$/],
  ['git', /^git$/],
  ['text', /^(cat|head|tail|grep|egrep|rg|sed|awk|sort|uniq|cut|tr|diff|jq|xxd|od|less)$/],
  ['files', /^(ls|find|tree|wc|du|df|fd|stat|file|cp|mv|rm|mkdir|touch|chmod|chown|ln|tar|unzip|zip)$/],
];
const lightest = 'shell';

/** All classes `commandClass` can answer, heaviest first. */
export const commandClasses: readonly string[] = [...programs.map(([name]) => name), lightest, 'other'];

/** Words in front of the program that is meant: `sudo -E timeout 60 env A=b nice pytest` runs pytest. */
const prefixes = new Set([
  'sudo',
  'timeout',
  'time',
  'env',
  'nice',
  'nohup',
  'xargs',
  'exec',
  'command',
  'stdbuf',
  'then',
  'do',
  'else',
  'if',
  '!',
  '(',
  '{',
]);
const runners = /^(npx|uv|poetry|pipenv|pdm|conda|bunx|hatch|bundle|pnpm|yarn)$/;
const shellWords =
  /^(cd|source|\.|export|echo|printf|set|unset|true|false|sleep|test|\[|\[\[|which|type|pwd|for|while|done|fi|alias|wait|kill|ps|id|date|ulimit)$/;

/** What one simple command runs: the program's name, and the words after it. */
function program(words: string[]): string[] {
  let rest = words;
  for (;;) {
    const first = rest[0];
    if (first === undefined) return [];
    if (/^\w+=/.test(first)) rest = rest.slice(1);
    else if (prefixes.has(first)) {
      rest = rest.slice(1);
      while (rest[0] !== undefined && (rest[0].startsWith('-') || /^\d+(\.\d+)?[smhd]?$/.test(rest[0])))
        rest = rest.slice(1);
    } else if (runners.test(first) && rest[1] === 'run' && rest[2]) rest = rest.slice(2);
    else if (first === 'npx' && rest[1]) rest = rest.slice(1);
    else break;
  }
  const name = rest[0]!.replace(/^.*\//, '');
  const module = /^python[\d.]*$/.test(name) ? rest.indexOf('-m') : -1;
  return module > 0 && rest[module + 1] ? rest.slice(module + 1) : [name, ...rest.slice(1)];
}

function simpleClass([name, ...rest]: string[]): string | undefined {
  if (name === undefined) return undefined;
  if (
    /^(npm|pnpm|yarn|cargo|go|make|mvn|gradle|bun|deno|node)$/.test(name) &&
    rest.some((w) => /^(run-)?(tests?|t|check|--test)$/.test(w))
  )
    return 'tests';
  if (/^(npm|pnpm|yarn)$/.test(name) && rest[0] === 'run') return 'build';
  if (name === 'manage.py' || /(^|\/)(run_?tests?|test_[\w]*)\.(py|sh)$/.test(rest[0] ?? name)) {
    if (/^(python[\d.]*|bash|sh)$/.test(name) || name.endsWith('.py') || name.endsWith('.sh')) return 'tests';
  }
  return programs.find(([, p]) => p.test(name))?.[0] ?? (shellWords.test(name) ? lightest : undefined);
}

/**
 * The class of a command line by the programs it runs. Quoted text, here-documents and comments are not commands:
 * `ls tests/pytest.ini` lists files, `grep -rn unittest` searches text.
 */
export function commandClass(command: string): string {
  const bare = command
    .slice(0, 20_000)
    .replace(/<<-?\s*(['"]?)(\w+)\1[\s\S]*?(\n\s*\2\b|$)/g, ' ')
    .replace(/\\\n/g, ' ')
    .replace(/'[^']*'|"(?:[^"\\]|\\.)*"/g, ' Q ')
    .replace(/(^|\s)#[^\n]*/g, ' ');
  const found = new Set<string>();
  for (const part of bare.split(/&&|\|\||[;|&\n]|\$\(|`/)) {
    const words = part.trim().split(/\s+/).filter(Boolean);
    const name = simpleClass(program(words));
    if (name) found.add(name);
  }
  return commandClasses.find((name) => found.has(name)) ?? 'other';
}
