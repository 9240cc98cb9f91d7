import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { decisions, feedbackFor, feedbackText, HINT_VARIABLE, parseHint } from '../../../src/control/policy/index.ts';
import { configJsonSchema, parseConfig } from '../../../src/model/index.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../../docs/policy.md'), 'utf8');

test('the page lists the decisions of the code, in its order', () => {
  const table = page.slice(page.indexOf('| decision | what |'), page.indexOf('## Hints'));
  const rows = [...table.matchAll(/^\| ([a-z ]+?) \| (.+?) \|$/gm)].map((m) => [m[1], m[2]]).slice(1);
  expect(rows).toEqual(decisions.map((d) => [d.name, d.what]));
});

test('every setting it names exists', () => {
  const { properties } = configJsonSchema() as { properties: Record<string, { properties?: Record<string, unknown> }> };
  const named = [...page.matchAll(/`([a-z]+)\.([a-zA-Z]+)`/g)].filter((m) => m[1] !== 'memory');
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((m) => !properties[m[1]!]?.properties?.[m[2]!]).map((m) => m[0])).toEqual([]);
});

test('the bounds it states are the defaults', () => {
  const { admission, ladder } = parseConfig({});
  expect(page).toContain(
    `held ${admission.maxWait / 1000} s, throttled ${ladder.throttleMax / 1000} s at a time, frozen ${ladder.freezeSlice / 1000} s at a time and ${ladder.freezeTotal / 1000} s in all`,
  );
});

test('its examples are true', () => {
  const hint = new RegExp(`${HINT_VARIABLE}="([^"]+)" pytest`).exec(page)![1]!;
  expect(parseHint(hint).errors).toEqual([]);
  const said = feedbackText(
    feedbackFor({
      oomKilled: true,
      exitStatus: 137,
      peakBytes: 1.9 * 2 ** 30,
      limitBytes: 2 ** 31,
      process: { comm: 'node', rssBytes: 1.7 * 2 ** 30 },
      command: 'npx tsc',
    })!,
  ).trim();
  expect(page.replaceAll(/\n> ?/g, ' ').replaceAll(/ +/g, ' ')).toContain(said);
});
