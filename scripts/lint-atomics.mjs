// Every atomic has a label, and every label its partner: checks assembly/**/*.ts and src/**/*.ts.
//
// A call of a wrapper (aload, astore, acas, ...), and in src/ outside the engine of Atomics.* itself, carries a label
// on its own line or in the comment directly above its statement, one for each call:
//
//   // A1 acquire, pairs with R1 in ringPush: the node is visible before its number.
//   // R2 release, pairs with A3 in channel.ts receive and A4 in reap: the entry is written before the sequence.
//   // X1 pairs with X1: one exchange takes the list whole.       // N1 a hint: whoever reads an old one helps it on.
//
// A and R name a partner of the other kind (X serves as both); X names one or explains itself; N says why no ordering
// is needed. Labels are unique in their file. `in NAME` is the function in which the partner stands, `in FILE.ts NAME`
// the same in another file. In assembly/ and src/engine/ bare `atomic.*` and `Atomics.*` belong in a file named
// atomic.ts alone, which is not checked. Waiting orders nothing that its caller relies on, so Atomics.wait and
// waitAsync take no label.

import { readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { filesBelow, isMain, Refusal, root, runScript } from './support.mjs';

const WRAPPER = /\b(?:aload|rload|astore|acas|aadd|asub|aand|aor|axor|axchg|await32|anotify)(?:8|16|32|64)?\s*\(/g;
const RAW = /\b(?:atomic|Atomics)\s*\.\s*\w+/g;
const WAITING = /^Atomics\s*\.\s*(?:wait|waitAsync|pause|isLockFree)$/;
const LABEL = /^([ARXN])(\d+)\b[\s,:.]*/;
const PARTNER = /\b([ARXN]\d+)(?:\s+in\s+(?:([\w./-]+\.ts)\s+)?`?(?:\w+\.)*(\w+)`?)?/g;
const NOT_A_FUNCTION = new Set(['if', 'for', 'while', 'switch', 'catch', 'return', 'function']);
const PARTNER_KINDS = { A: 'RX', R: 'AX', X: 'ARX' };

/** Splits a source into its lines' code (strings blanked) and the comment on each line. */
function splitLines(source) {
  let code = '';
  let comment = '';
  let mode = 'code';
  for (let i = 0; i < source.length; i++) {
    const pair = source.slice(i, i + 2);
    const char = source[i];
    if (char === '\n') {
      if (mode === 'line' || mode === "'" || mode === '"') mode = 'code';
      code += '\n';
      comment += '\n';
    } else if (mode === 'code' && (pair === '//' || pair === '/*')) {
      mode = pair === '//' ? 'line' : 'block';
      i++;
    } else if (mode === 'code') {
      code += char;
      if (char === "'" || char === '"' || char === '`') mode = char;
    } else if (mode === 'line') {
      comment += char;
    } else if (mode === 'block') {
      if (pair === '*/') {
        mode = 'code';
        i++;
      } else comment += char;
    } else if (char === '\\') {
      i++;
    } else if (char === mode) {
      code += char;
      mode = 'code';
    }
  }
  const comments = comment.split('\n');
  return code.split('\n').map((text, i) => ({ code: text, comment: comments[i].replace(/^[\s*/]+/, '').trim() }));
}

/** The function whose definition starts on a line of code, or null. */
function definedOn(code) {
  const plain =
    code.match(/\bfunction\s+(\w+)/) ??
    code.match(/^\s*(?:export\s+)?const\s+(\w+)\s*=\s*(?:\([^)]*\)|\w+)\s*(?::\s*[\w<>[\]| ]+)?=>/);
  if (plain) return plain[1];
  const modifiers = '(?:(?:public|private|protected|static|override|async|get|set)\\s+)*';
  const method =
    code.match(new RegExp(`^\\s+${modifiers}#?(\\w+)\\s*\\([^;]*\\)\\s*(?::[^=;]+)?\\{\\s*(?:\\}\\s*)?$`)) ??
    code.match(new RegExp(`^ {2}${modifiers}#?(\\w+)\\($`));
  return method && !NOT_A_FUNCTION.has(method[1]) ? method[1] : null;
}

/** Reads one file: its labels with their text and function, and its calls with the line where each stands. */
function readSource(path, source) {
  const lines = splitLines(source);
  const labels = [];
  const calls = [];
  const raw = [];
  let current = null;
  let scope = '';
  for (const [i, { code, comment }] of lines.entries()) {
    const defined = definedOn(code);
    if (defined !== null) scope = defined;
    const start = comment.match(LABEL);
    if (start) {
      current = {
        name: start[1] + start[2],
        kind: start[1],
        text: comment.slice(start[0].length),
        line: i,
        scope,
        isUsed: false,
      };
      current.lastLine = i;
      labels.push(current);
    } else if (current !== null && comment !== '' && code.trim() === '' && current.lastLine === i - 1) {
      current.text += ` ${comment}`;
      current.lastLine = i;
    } else {
      current = null;
    }
    const isDefinition =
      defined !== null && new RegExp(`\\b${defined}\\s*\\(`).test(code) && `${defined}(`.match(WRAPPER);
    if (!isDefinition)
      for (const match of code.matchAll(WRAPPER)) calls.push({ text: match[0].replace(/\s*\($/, ''), line: i });
    for (const match of code.matchAll(RAW)) raw.push({ text: match[0], line: i });
  }
  return { path, lines, labels, calls, raw };
}

/** The label of a call: one that no other call took, on its line, or in the comments above a line of its statement. */
function labelOf({ lines, labels }, line) {
  const free = (at) => labels.find((label) => label.line === at && !label.isUsed);
  for (let at = line; at >= 0; at--) {
    if (lines[at].code.trim() !== '') {
      const own = free(at);
      if (own) return own;
    }
    let above = at - 1;
    while (above >= 0 && lines[above].code.trim() === '' && lines[above].comment !== '') above--;
    for (let i = above + 1; i < at; i++) {
      const label = free(i);
      if (label) return label;
    }
    if (above < 0) return null;
    const previous = lines[above].code.trim();
    if (previous === '' || /[;{}]$/.test(previous)) return null;
    at = above + 1;
  }
  return null;
}

/**
 * Checks sources together, so that labels may name partners in each other.
 * @param {{ path: string, source: string }[]} sources
 * @returns {string[]} what is wrong: `path:line: sentence`
 */
export function lintAtomics(sources) {
  const files = sources.map(({ path, source }) => readSource(path, source));
  const problems = [];
  const report = (file, line, sentence) => problems.push(`${file.path}:${line + 1}: ${sentence}`);
  for (const file of files) {
    if (basename(file.path) === 'atomic.ts') continue;
    const mayBeRaw = /^src\/(?!engine\/)/.test(file.path);
    const calls = mayBeRaw ? [...file.calls, ...file.raw.filter(({ text }) => !WAITING.test(text))] : file.calls;
    for (const { text, line } of mayBeRaw ? [] : file.raw) {
      report(file, line, `${text} outside atomic.ts (expected one of its wrappers)`);
    }
    for (const { text, line } of calls) {
      const label = labelOf(file, line);
      if (label === null)
        report(file, line, `${text} has no label (expected a comment such as "A1 ..., pairs with R1 in ...")`);
      else label.isUsed = true;
    }
    const seen = new Set();
    for (const label of file.labels) {
      if (seen.has(label.name)) report(file, label.line, `label ${label.name} stands in this file twice`);
      seen.add(label.name);
      if (!label.isUsed) report(file, label.line, `label ${label.name} belongs to no atomic call`);
      for (const sentence of problemsOfLabel(label, file, files)) report(file, label.line, sentence);
    }
  }
  return problems;
}

function problemsOfLabel(label, file, files) {
  const { name, kind, text } = label;
  const words = text.split(/\s+/).filter((word) => /\w{2}/.test(word)).length;
  if (kind === 'N') return words >= 3 ? [] : [`label ${name} does not say why no ordering is needed`];
  const clause = text.match(/\bpairs with\b([^:;]*)/);
  if (!clause) {
    if (kind === 'X' && words >= 4) return [];
    return [`label ${name} names no partner (expected "pairs with ... in ...")`];
  }
  const partners = [...clause[1].matchAll(PARTNER)];
  if (partners.length === 0) return [`label ${name} names no partner after "pairs with"`];
  return partners.flatMap((match) => problemsOfPartner(label, match, file, files));
}

function problemsOfPartner({ name, kind }, [reference, partnerName, fileName, scope], file, files) {
  const named = (candidate) => candidate.path === fileName || candidate.path.endsWith(`/${fileName}`);
  const target =
    fileName === undefined ? file : files.find((candidate) => candidate.path !== file.path && named(candidate));
  if (target === undefined) return [`label ${name} names ${fileName}, which is not there`];
  const partner = target.labels.find((label) => label.name === partnerName);
  if (partner === undefined) return [`label ${name} pairs with ${reference}, which is not there`];
  if (!PARTNER_KINDS[kind].includes(partner.kind)) {
    return [
      `label ${name} pairs with ${partnerName} (expected a partner of kind ${[...PARTNER_KINDS[kind]].join(' or ')})`,
    ];
  }
  if (scope !== undefined && partner.scope !== scope) {
    return [`label ${name} pairs with ${partnerName} in ${scope}, but ${partnerName} stands in ${partner.scope}`];
  }
  return [];
}

/** The files that the rule is for. */
function sourcesOfTree() {
  return ['assembly', 'src']
    .flatMap((folder) => filesBelow(join(root, folder)))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .map((path) => ({ path: relative(root, path), source: readFileSync(path, 'utf8') }));
}

if (isMain(import.meta.url)) {
  await runScript(() => {
    const sources = sourcesOfTree();
    const problems = lintAtomics(sources);
    if (problems.length > 0) throw new Refusal(`${problems.join('\n')}\natomics: ${problems.length} problems`);
    console.log(`atomics: ${sources.length} files, every call labelled, every partner there`);
  });
}
