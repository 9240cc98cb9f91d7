import fc from 'fast-check';
import { expect, test } from 'vitest';
import { debianMirror, parseDeb822Sources, parseOneLineSources } from '../../src/lab/apt-sources.ts';

test('one-line form', () => {
  const text = `
# deb http://commented.example/debian bookworm main
deb-src http://sources.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://mirror.example/debian bookworm main contrib # why
deb http://flat.example/repository ./
deb	http://security.example/debian-security bookworm-security main`;
  const sources = parseOneLineSources(text);
  expect(sources.map((s) => s.uris[0])).toEqual([
    'http://sources.example/debian',
    'https://mirror.example/debian',
    'http://flat.example/repository',
    'http://security.example/debian-security',
  ]);
  expect(sources[1]).toEqual({
    types: ['deb'],
    uris: ['https://mirror.example/debian'],
    suites: ['bookworm'],
    components: ['main', 'contrib'],
  });
  expect(debianMirror(sources, 'bookworm')).toBe('https://mirror.example/debian');
  expect(debianMirror(sources, 'trixie')).toBeUndefined();
});

test('deb822 form: comments between fields, continued values, disabled paragraphs, several URIs', () => {
  const text = `Types: deb
# http://comment.example/
URIs: http://off.example/debian
Suites: trixie
Components: main
Enabled: no

Types: deb deb-src
URIs: http://one.example/debian
 http://two.example/debian
suites: trixie trixie-updates
Components:
 main
 non-free-firmware
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 URIs: http://in-the-key.example
`;
  expect(parseDeb822Sources(text)).toEqual([
    {
      types: ['deb', 'deb-src'],
      uris: ['http://one.example/debian', 'http://two.example/debian'],
      suites: ['trixie', 'trixie-updates'],
      components: ['main', 'non-free-firmware'],
    },
  ]);
  expect(debianMirror(parseDeb822Sources(text), 'trixie')).toBe('http://one.example/debian');
});

test('what one form says the other can say', () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9:/.-]{0,20}$/);
  fc.assert(
    fc.property(
      fc.array(fc.record({ uri: word, suite: word, components: fc.array(word, { minLength: 1 }) })),
      (entries) => {
        const lines = entries.map((e) => `deb ${e.uri} ${e.suite} ${e.components.join(' ')}`).join('\n');
        const paragraphs = entries
          .map((e) => `Types: deb\nURIs: ${e.uri}\nSuites: ${e.suite}\nComponents: ${e.components.join('\n ')}\n`)
          .join('\n');
        expect(parseDeb822Sources(paragraphs)).toEqual(parseOneLineSources(lines));
      },
    ),
  );
});

test('no text makes the parsers throw', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(Array.isArray([...parseOneLineSources(text), ...parseDeb822Sources(text)])).toBe(true);
    }),
  );
});
