// The table of docs/border.md: what each API was found to do, by runtime.

import { readFileSync } from 'node:fs';

/** The verdicts of one column, by API; where the table has nothing the API is absent. */
export function borderColumn(runtime: string): Record<string, string> {
  const text = readFileSync(new URL('../../docs/border.md', import.meta.url), 'utf8');
  const [, table = ''] = /<!-- border -->\n([\s\S]*?)<!-- \/border -->/.exec(text) ?? [];
  const [head = [], , ...rows] = table.trim().split('\n').map(cellsOf);
  const column = head.indexOf(runtime);
  if (column < 1) throw new Error(`docs/border.md has no column ${runtime}`);
  return Object.fromEntries(
    rows.map((cells) => [(cells[0] as string).replaceAll('`', ''), cells[column]?.replaceAll('*', '') || 'absent']),
  );
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}
