import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  insertHooks,
  parseSettings,
  plainValue,
  removeInsertions,
} from '../../../../src/control/intercept/install/index.ts';

const entry = { matcher: 'Bash', hooks: [{ type: 'command', command: 'agentcgroup hook x' }] };
const entries = { PreToolUse: entry, PostToolUse: entry };
const read = (text: string) => plainValue(parseSettings(text)) as { hooks: Record<string, unknown[]> };

describe('hooks put into settings', () => {
  test('an empty or missing file', () => {
    for (const text of ['', ' \n'])
      expect(read(insertHooks(text, entries).text)).toEqual({ hooks: { PreToolUse: [entry], PostToolUse: [entry] } });
  });

  test('comments, layout and trailing commas stay', () => {
    const text = `{ // mine
\t"model": "x", /* why */
\t"permissions": {"allow": ["Bash(git:*)",],},
}
`;
    const { text: after } = insertHooks(text, entries);
    expect(after).toContain('// mine');
    expect(after).toContain('\t"model": "x", /* why */\n\t"permissions": {"allow": ["Bash(git:*)",],},\n}\n');
    expect(read(after)).toEqual({ ...read(text), hooks: { PreToolUse: [entry], PostToolUse: [entry] } });
  });

  test('hooks of others stay, ours come beside them', () => {
    const other = { matcher: '*', hooks: [] };
    const text = JSON.stringify({ hooks: { Stop: [other], PreToolUse: [other], PostToolUse: [] } });
    expect(read(insertHooks(text, entries).text).hooks).toEqual({
      Stop: [other],
      PreToolUse: [entry, other],
      PostToolUse: [entry],
    });
  });

  test.each([
    ['[]', 'expected an object at the top'],
    ['{"hooks": []}', '"hooks" is not an object'],
    ['{"hooks": {"PreToolUse": 1}}', '"hooks.PreToolUse" is not a list'],
    ['{\n"a": tru\n}', 'line 2'],
    ['{"a": 1} x', 'more text'],
    ['{a: 1}', 'expected a value'],
    ['{"a" 1}', 'expected a colon'],
    ['{"a": "b\nc"}', 'line 1'],
    ['{"a": "\u0001"}', 'expected a value'],
  ])('refuses %j', (text, why) => {
    expect(() => insertHooks(text, entries)).toThrow(why);
    expect(() => insertHooks(text, entries)).toThrow(expect.objectContaining({ code: 'ACG_SETTINGS' }));
  });

  test('refuses what is nested too deeply', () => {
    expect(() => insertHooks('['.repeat(100_000), entries)).toThrow('nested too deeply');
  });

  test('any JSON object: ours is added, nothing else is changed, and it can be taken out again', () => {
    const hooks = fc.dictionary(
      fc.constantFrom('PreToolUse', 'PostToolUse', 'Stop'),
      fc.array(fc.jsonValue({ maxDepth: 2 })),
    );
    const settings = fc
      .tuple(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), fc.option(hooks, { nil: undefined }))
      .map(([other, own]) => {
        const { hooks: _, ...rest } = other as Record<string, unknown>;
        return own ? { ...rest, hooks: own } : rest;
      });
    fc.assert(
      fc.property(settings, fc.constantFrom(undefined, 2, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const { text: after, inserted } = insertHooks(text, entries);
        const own = (value as { hooks?: Record<string, unknown[]> }).hooks ?? {};
        expect(JSON.parse(after)).toEqual({
          ...JSON.parse(text),
          hooks: {
            ...JSON.parse(JSON.stringify(own)),
            PreToolUse: [entry, ...(own.PreToolUse ?? [])].map((v) => JSON.parse(JSON.stringify(v))),
            PostToolUse: [entry, ...(own.PostToolUse ?? [])].map((v) => JSON.parse(JSON.stringify(v))),
          },
        });
        expect(plainValue(parseSettings(after))).toEqual(JSON.parse(after));
        expect(removeInsertions(after, inserted)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test('parsing is total: a value, or ACG_SETTINGS', () => {
    const pieces = fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '//', '/*', '*/', '\n', '\\', '1', 'true', 'a');
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 40 }), (parts) => {
        try {
          parseSettings(parts.join(''));
        } catch (error) {
          expect((error as { code?: string }).code).toBe('ACG_SETTINGS');
        }
      }),
      { numRuns: 3000 },
    );
  });
});
