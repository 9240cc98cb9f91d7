import { AcgError } from '../../../model/index.ts';

/** A value of a JSON text with comments, with the places where something can be put into it. */
export type Node =
  | { kind: 'object'; open: number; entries: ReadonlyMap<string, Node>; empty: boolean }
  | { kind: 'array'; open: number; items: readonly Node[]; empty: boolean }
  | { kind: 'scalar'; value: string | number | boolean | null };

const MAX_DEPTH = 200;

/**
 * Reads JSON as people write it into settings: comments and trailing commas are allowed. `open` is the offset just behind the
 * opening bracket. Throws ACG_SETTINGS with the line.
 */
export function parseSettings(text: string): Node {
  const parser = new Parser(text);
  const node = parser.value(0);
  parser.blank();
  if (parser.at < text.length) parser.fail('more text after the end');
  return node;
}

class Parser {
  readonly text: string;
  at: number;

  constructor(text: string) {
    this.text = text;
    this.at = text.startsWith('\uFEFF') ? 1 : 0;
  }

  fail(what: string): never {
    const line = this.text.slice(0, this.at).split('\n').length;
    throw new AcgError('ACG_SETTINGS', `line ${line}: ${what}`);
  }

  /** White space and comments. */
  blank(): void {
    const skip = /(?:[ \t\r\n]+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
    skip.lastIndex = this.at;
    this.at += skip.exec(this.text)![0].length;
  }

  value(depth: number): Node {
    if (depth > MAX_DEPTH) this.fail('nested too deeply');
    this.blank();
    const sign = this.text[this.at];
    if (sign === '{') return this.#object(depth);
    if (sign === '[') return this.#array(depth);
    return { kind: 'scalar', value: this.#scalar() };
  }

  #object(depth: number): Node {
    const open = ++this.at;
    const entries = new Map<string, Node>();
    this.#members('}', () => {
      const key = this.#scalar();
      if (typeof key !== 'string') this.fail('expected a key in quotes');
      this.blank();
      if (this.text[this.at] !== ':') this.fail('expected a colon');
      this.at++;
      entries.set(key, this.value(depth + 1));
    });
    return { kind: 'object', open, entries, empty: entries.size === 0 };
  }

  #array(depth: number): Node {
    const open = ++this.at;
    const items: Node[] = [];
    this.#members(']', () => void items.push(this.value(depth + 1)));
    return { kind: 'array', open, items, empty: items.length === 0 };
  }

  #members(close: string, member: () => void): void {
    for (;;) {
      this.blank();
      if (this.text[this.at] === close) break;
      member();
      this.blank();
      if (this.text[this.at] === ',') this.at++;
      else if (this.text[this.at] !== close) this.fail(`expected a comma or ${close}`);
    }
    this.at++;
  }

  #scalar(): string | number | boolean | null {
    const token = /"(?:[^"\\\n]|\\.)*"|-?\d[\d.eE+-]*|true|false|null/y;
    token.lastIndex = this.at;
    const found = token.exec(this.text)?.[0];
    if (found === undefined) this.fail('expected a value');
    try {
      const value = JSON.parse(found) as string;
      this.at += found.length;
      return value;
    } catch {
      return this.fail('expected a value');
    }
  }
}

/** The plain value of a node. */
export function plainValue(node: Node): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'array') return node.items.map(plainValue);
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, plainValue(entry)]));
}
