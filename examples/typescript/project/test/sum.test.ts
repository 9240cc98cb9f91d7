import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sum, total } from '../src/sum.ts';

test('sum adds', () => assert.equal(sum(2, 3), 5));
test('total adds them all', () => assert.equal(total([1, 2, 3, 4]), 10));
