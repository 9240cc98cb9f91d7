/** What kind of command is this? Read from its text, only to choose words and a typical need: nothing is enforced by it. */
import { unwrapCommand } from './unwrap.ts';

export type CommandClass =
  | 'pytest'
  | 'js-test'
  | 'test'
  | 'bundler'
  | 'typescript'
  | 'make'
  | 'cargo'
  | 'go'
  | 'java'
  | 'pip'
  | 'npm'
  | 'install'
  | 'server'
  | 'search'
  | 'vcs'
  | 'python'
  | 'node'
  | 'small'
  | 'other';

/** Programs that only start another one: the number of words that belong to them besides flags. */
const wrappers: Record<string, number> = {
  time: 0,
  nice: 0,
  ionice: 0,
  env: 0,
  exec: 0,
  command: 0,
  sudo: 0,
  nohup: 0,
  stdbuf: 0,
  setsid: 0,
  xargs: 0,
  timeout: 1,
  npx: 0,
  bunx: 0,
  pnpx: 0,
  uvx: 0,
};

/** Words of the shell's own grammar that stand before a command. */
const grammar = new Set(['do', 'then', 'else', 'if', 'elif', 'while', 'until', '!', '{']);

/** Two-word wrappers: `uv run X`, `poetry run X`. */
const runners: Record<string, string[]> = {
  uv: ['run'],
  poetry: ['run'],
  pipenv: ['run'],
  pdm: ['run'],
  hatch: ['run'],
  rye: ['run'],
  conda: ['run'],
  pnpm: ['exec', 'dlx'],
  yarn: ['exec', 'dlx'],
  npm: ['exec', 'x'],
  bundle: ['exec'],
};

const programs: Record<string, CommandClass> = {
  pytest: 'pytest',
  'py.test': 'pytest',
  tox: 'pytest',
  nox: 'pytest',
  jest: 'js-test',
  vitest: 'js-test',
  mocha: 'js-test',
  ava: 'js-test',
  playwright: 'js-test',
  cypress: 'js-test',
  karma: 'js-test',
  ctest: 'test',
  rspec: 'test',
  phpunit: 'test',
  unittest: 'test',
  webpack: 'bundler',
  vite: 'bundler',
  rollup: 'bundler',
  esbuild: 'bundler',
  next: 'bundler',
  parcel: 'bundler',
  turbo: 'bundler',
  nx: 'bundler',
  ng: 'bundler',
  tsc: 'typescript',
  'vue-tsc': 'typescript',
  eslint: 'typescript',
  tsserver: 'typescript',
  make: 'make',
  gmake: 'make',
  ninja: 'make',
  cmake: 'make',
  meson: 'make',
  bazel: 'make',
  gcc: 'make',
  'g++': 'make',
  cc: 'make',
  clang: 'make',
  'clang++': 'make',
  ld: 'make',
  cargo: 'cargo',
  rustc: 'cargo',
  go: 'go',
  mvn: 'java',
  mvnw: 'java',
  gradle: 'java',
  gradlew: 'java',
  java: 'java',
  javac: 'java',
  sbt: 'java',
  kotlinc: 'java',
  pip: 'pip',
  pip3: 'pip',
  pipx: 'pip',
  conda: 'pip',
  mamba: 'pip',
  poetry: 'pip',
  uv: 'pip',
  npm: 'npm',
  yarn: 'npm',
  pnpm: 'npm',
  bun: 'npm',
  apt: 'install',
  'apt-get': 'install',
  apk: 'install',
  dnf: 'install',
  yum: 'install',
  brew: 'install',
  docker: 'install',
  podman: 'install',
  git: 'vcs',
  hg: 'vcs',
  gh: 'vcs',
  svn: 'vcs',
  grep: 'search',
  rg: 'search',
  ag: 'search',
  find: 'search',
  fd: 'search',
  ls: 'small',
  cat: 'small',
  echo: 'small',
  printf: 'small',
  pwd: 'small',
  head: 'small',
  tail: 'small',
  wc: 'small',
  sed: 'small',
  which: 'small',
  mkdir: 'small',
  rm: 'small',
  cp: 'small',
  mv: 'small',
  touch: 'small',
  true: 'small',
  sleep: 'small',
  test: 'small',
  stat: 'small',
  date: 'small',
  env: 'small',
  export: 'small',
  ps: 'small',
  kill: 'small',
};

/** The most telling class wins when a command line starts several programs: the heaviest. */
const heaviest: CommandClass[] = [
  'pytest',
  'js-test',
  'test',
  'bundler',
  'cargo',
  'java',
  'go',
  'make',
  'typescript',
  'npm',
  'pip',
  'install',
  'server',
  'node',
  'python',
  'other',
  'search',
  'vcs',
  'small',
];

const assignment = /^[A-Za-z_][A-Za-z0-9_]*=/;
const unquote = (word: string) => word.replace(/^['"]+|['"]+$/g, '');

/** The class of one simple command, given as words. */
function classOfWords(words: string[]): CommandClass | undefined {
  let i = 0;
  for (let guard = 0; guard < 8; guard++) {
    while (i < words.length && (assignment.test(words[i]!) || grammar.has(words[i]!))) i++;
    const word = unquote(words[i] ?? '').toLowerCase();
    const name = word.slice(word.lastIndexOf('/') + 1);
    if (name === '') return undefined;
    const next = unquote(words[i + 1] ?? '').toLowerCase();
    if (Object.hasOwn(runners, name) && runners[name]!.includes(next)) {
      i = skipFlags(words, i + 2);
      continue;
    }
    if (Object.hasOwn(wrappers, name) && words.length > i + 1) {
      i = skipFlags(words, i + 1) + wrappers[name]!;
      continue;
    }
    if (/^(ba|da|z|k)?sh$/.test(name) || name === 'cd' || name === 'source' || name === '.' || name === 'set')
      return /sh$/.test(name) && words.length > i + 1 ? 'other' : undefined;
    return classOfProgram(
      name,
      words.slice(i + 1).map((w) => unquote(w).toLowerCase()),
    );
  }
  return 'other';
}

function skipFlags(words: string[], from: number): number {
  let i = from;
  while (i < words.length && words[i]!.startsWith('-')) i += /^-(n|c|u|s|k|p|P|L|I)$/.test(words[i]!) ? 2 : 1;
  return i;
}

function classOfProgram(name: string, args: string[]): CommandClass {
  if (/^(python|pypy)[0-9.]*$/.test(name)) {
    const module = args[args.indexOf('-m') + 1];
    if (args.includes('-m') && module && Object.hasOwn(programs, module)) return programs[module]!;
    if (args.includes('manage.py'))
      return args.includes('runserver') ? 'server' : args.includes('test') ? 'pytest' : 'python';
    return args.some((a) => a.startsWith('http.server') || a === 'uvicorn' || a === 'flask') ? 'server' : 'python';
  }
  if (name === 'node' || name === 'deno' || name === 'tsx' || name === 'ts-node')
    return args.includes('--test') ? 'js-test' : 'node';
  if (name === 'uvicorn' || name === 'gunicorn' || name === 'flask' || name === 'nodemon') return 'server';
  if (name === 'npm' || name === 'yarn' || name === 'pnpm' || name === 'bun') {
    const verb = args.find((a) => !a.startsWith('-') && a !== 'run' && a !== 'run-script') ?? '';
    if (/^(t|tst|test)(:|$)/.test(verb)) return 'js-test';
    if (/^build(:|$)/.test(verb)) return 'bundler';
    if (/^(type-?check|tsc|lint)(:|$)/.test(verb)) return 'typescript';
    if (/^(dev|start|serve|preview)(:|$)/.test(verb)) return 'server';
    return 'npm';
  }
  if (
    (name === 'next' || name === 'vite') &&
    (args[0] === 'dev' || args[0] === 'serve' || (name === 'vite' && args.length === 0))
  )
    return 'server';
  if (name === 'make' && /^(test|check)/.test(args.find((a) => !a.startsWith('-')) ?? '')) return 'test';
  return Object.hasOwn(programs, name) ? programs[name]! : 'other';
}

/** The class of a whole command line. Total: any string, at most its first 8192 characters. */
export function commandClass(command: string): CommandClass {
  let best = heaviest.length;
  // quoted text with spaces or separators is an argument, not a command
  const text = unwrapCommand(command)
    .slice(0, 8192)
    .replace(/'[^']*'|"[^"]*"/g, (quoted) => (/[;&|()\s]/.test(quoted) ? 'TEXT' : quoted));
  for (const part of text.split(/[;&|\n()]+/)) {
    const found = classOfWords(part.trim().split(/\s+/));
    if (found) best = Math.min(best, heaviest.indexOf(found));
  }
  return heaviest[best] ?? 'other';
}

/**
 * Memory, in bytes, that a call of a class typically needs: for admission when nothing is hinted. Rough on purpose. For pytest,
 * python and pip it is about the 95th percentile of what 2,400 recorded commands took: what is put by for each of many calls and
 * not used holds the others up (docs/simulate.md).
 */
export const typicalBytes: Readonly<Record<CommandClass, number>> = (() => {
  const m = 2 ** 20;
  return {
    pytest: 128 * m,
    'js-test': 512 * m,
    test: 256 * m,
    bundler: 768 * m,
    typescript: 256 * m,
    make: 512 * m,
    cargo: 1024 * m,
    go: 512 * m,
    java: 1024 * m,
    pip: 128 * m,
    npm: 512 * m,
    install: 256 * m,
    server: 256 * m,
    search: 32 * m,
    vcs: 32 * m,
    python: 64 * m,
    node: 128 * m,
    small: 16 * m,
    other: 64 * m,
  };
})();
