import assert from 'node:assert/strict';
import { test } from 'node:test';
import { en } from '../src/i18n/en/index.ts';
import { zh } from '../src/i18n/zh/index.ts';

/** Every word by its path; a word with numbers in it is called with some. */
function wordsOf(catalogue, path = '') {
  return Object.entries(catalogue).flatMap(([name, word]) => {
    const at = path ? `${path}.${name}` : name;
    if (typeof word === 'object') return wordsOf(word, at);
    return [[at, typeof word === 'function' ? String(word(...Array.from({ length: word.length }, (_, n) => `${n + 1}`))) : word]];
  });
}

test('both languages have the same words, and none is empty', () => {
  const [inZh, inEn] = [wordsOf(zh), wordsOf(en)];
  assert.deepEqual(inEn.map(([path]) => path).sort(), inZh.map(([path]) => path).sort());
  for (const [path, word] of [...inZh, ...inEn]) assert.ok(word.trim(), path);
});

test('English has no Chinese left in it', () => {
  const left = wordsOf(en).filter(([path, word]) => /[\u4e00-\u9fff]/.test(word) && path !== 'shell.toChinese');
  assert.deepEqual(left, []);
});
