// The lint of prose: what it finds, what it leaves alone, and how it breaks lines.

import { describe, expect, it } from 'vitest';
import { breakLines, findHardProse, findWideComments } from '../../scripts/lint-prose.mjs';

const words = (count: number): string => Array.from({ length: count }, (_, i) => 'abcdefghij'[i % 10]).join(' ');

describe('prose', () => {
  it.each([
    ['a sentence of 35 words', `${words(35)}.`, []],
    ['one of 36', `${words(36)}.`, ['1: a sentence of 36 words (expected at most 35)']],
    ['one over several lines', `Short.\n\n${words(20)}\n${words(16)}.`, ['3: a sentence of 36 words']],
    ['two that are short', `${words(20)}.\n${words(20)}! Is ${words(19)}?`, []],
    ['one in an item of a list', `- ${words(20)}.\n- ${words(36)}.`, ['2: a sentence of 36 words']],
    ['code, which is one word', `${words(34)} \`a b c d e f\`.`, []],
    ['a link, whose address is none', `${words(34)} [x](https://localhost/a-b-c).`, []],
    ['a version, which ends none', `${words(20)} 1.5 ${words(20)}.`, ['1: a sentence of 41 words']],
    ['a line of 121 columns', `${'x'.repeat(60)} ${'y'.repeat(60)}`, ['1: 121 columns (expected at most 120)']],
    ['a word that cannot be broken', 'x'.repeat(200), []],
    ['a cell of 141 characters', `| a | ${'x'.repeat(141)} |\n|---|---|`, ['1: a cell of 141 characters']],
    ['a row of many cells', `| ${'x'.repeat(140)} | ${'y'.repeat(140)} |`, []],
    ['a bar that is escaped', `| ${'x'.repeat(100)}\\|${'y'.repeat(100)} |`, ['1: a cell of 202 characters']],
    ['code', `\`\`\`js\n${words(50)}\n\`\`\`\n${words(36)}.`, ['4: a sentence of 36 words']],
    ['what a script wrote', `<!-- table -->\n${words(50)}\n<!-- /table -->\n${words(36)}.`, ['4: a sentence']],
    ['a comment, which opens nothing', `<!-- a comment\nof two lines -->\n\n${words(36)}.`, ['4: a sentence']],
    ['a heading', `# ${words(50)}`, []],
  ])('%s', (_, markdown, expected) => {
    const found = findHardProse(markdown);
    expect(found.length).toBe(expected.length);
    for (const [i, start] of expected.entries()) expect(found[i]).toContain(start);
  });
});

describe('lines that are too long', () => {
  const long = `${'x'.repeat(100)} ${'y'.repeat(19)}`;

  it('are broken between words, at 120 columns', () => {
    expect(breakLines(`${long} z\n`)).toBe(`${long}\nz\n`);
    expect(findHardProse(breakLines(words(90))).filter((line) => line.includes('columns'))).toEqual([]);
  });

  it('keep the indentation of their item, and code in one piece', () => {
    expect(breakLines(`- ${'x'.repeat(100)} \`a long piece of code\` b`)).toBe(
      `- ${'x'.repeat(100)}\n  \`a long piece of code\` b`,
    );
    expect(breakLines(`1. ${long} z`)).toBe(`1. ${'x'.repeat(100)}\n   ${'y'.repeat(19)} z`);
  });

  it('are left alone where they fit, in tables, in code and between marks', () => {
    const text = `a\nb\n\n| ${long} z |\n\n\`\`\`\n${long} z\n\`\`\`\n\n<!-- t -->\n${long} z\n<!-- /t -->\n`;
    expect(breakLines(text)).toBe(text);
  });

  it('are checked in comments, and left to the formatter in code', () => {
    const wide = 'x '.repeat(58);
    const source = [`// ${wide}`, `  // ${wide}x`, ` * ${wide}xx`, `const text = '${wide}xxx';`].join('\n');
    expect(findWideComments(source).map((line) => line.split(':')[0])).toEqual(['2', '3']);
  });
});
