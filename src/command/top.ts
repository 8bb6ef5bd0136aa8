// `pagepool top URL`: what an inspector's page shows, in the terminal.
//
// Plain escape sequences: a library would bring more than these forty lines of layout need. It reads the same stream as
// the page, so figures are the same.

import { PLACES, type Place } from '../inspect/page-map.js';
import type { Frame } from '../inspector/wire.js';

const COLOURS: Readonly<Record<Place, number>> = {
  used: 208,
  open: 223,
  channel: 98,
  token: 169,
  reply: 141,
  pinned: 160,
  cached: 117,
  ring: 68,
  retired: 248,
  fresh: 240,
  provider: 242,
  reserve: 60,
  nobody: 124,
  moving: 180,
};
/** The bar's order. */
const ORDER: readonly Place[] = [
  'used',
  'open',
  'channel',
  'token',
  'reply',
  'moving',
  'pinned',
  'nobody',
  'cached',
  'ring',
];

/** Shows the pool until it is ended, or the stream ends; the exit code. */
export async function top(address: string, isOnce: boolean): Promise<number> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url?.protocol !== 'http:') {
    console.error(`${address}: expected the address that serveInspector, or pagepool demo, printed`);
    return 2;
  }
  if (!url.searchParams.get('token')) {
    console.error(`${address}: pass the whole address, with ?token=..., in quotes`);
    return 2;
  }
  const headers = { Authorization: `Bearer ${url.searchParams.get('token')}` };
  let response: Response;
  try {
    response = await fetch(new URL('/events', url), { headers });
  } catch (error) {
    console.error(`${url.host} does not answer: ${String((error as Error).cause ?? error)}`);
    return 1;
  }
  if (!response.ok || response.body === null) {
    console.error(`${url.host} refuses: ${response.status}, ${(await response.text()).trim()}`);
    return 1;
  }
  const { stdout } = process;
  const isScreen = stdout.isTTY && !isOnce;
  if (isScreen) {
    stdout.write('\u001b[?1049h\u001b[?25l');
    const leave = (): void => void stdout.write('\u001b[?25h\u001b[?1049l');
    process.once('exit', leave);
    process.once('SIGINT', () => process.exit(0));
    process.once('SIGTERM', () => process.exit(0));
  }
  let frames = 0;
  try {
    for await (const frame of framesOf(response.body)) {
      frames++;
      // The first one has no rates.
      if (isOnce && frames === 2) {
        stdout.write(`${draw(frame, stdout.columns ?? 80, stdout.isTTY)}\n`);
        return 0;
      }
      if (isScreen) {
        const text = draw(frame, stdout.columns, true)
          .split('\n')
          .slice(0, stdout.rows - 1);
        stdout.write(`\u001b[H${text.map((line) => `${line}\u001b[K`).join('\n')}\u001b[J`);
      } else if (!isOnce && frames % 4 === 0) stdout.write(`${draw(frame, 80, false)}\n\n`);
    }
  } catch (error) {
    console.error(`the connection has ended: ${String((error as Error).cause ?? error)}`);
    return 1;
  }
  if (isScreen) stdout.write('\u001b[?25h\u001b[?1049l');
  console.error('the inspector was closed, or its process has ended');
  return 1;
}

/** The frames of a stream of server-sent events. */
async function* framesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Frame> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    const events = text.split('\n\n');
    text = events.pop() as string;
    for (const event of events) {
      if (event.startsWith('data: ')) yield JSON.parse(event.slice(6), printable) as Frame;
    }
  }
}

/** Labels are somebody's text: nothing of it reaches the terminal as a command. */
function printable(_: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/\p{Cc}/gu, ' ') : value;
}

/** One look as text. */
export function draw(frame: Frame, columns: number, isColoured: boolean): string {
  const paint = (code: string, text: string): string => (isColoured ? `\u001b[${code}m${text}\u001b[0m` : text);
  const dim = (text: string): string => paint('2', text);
  const { calls, channels, lints, name, pageBytes, pageCount, places, ports, rates, state } = frame;
  const waits = ports.flatMap((port) => port.waits).filter(({ what }) => !what.startsWith('an entry'));
  const head = [
    `${paint('1', name)}  ${state}`,
    `${pageCount} pages of ${pageBytes} B`,
    `in flight ${frame.inflight}`,
    `${short(rates?.allocated ?? 0)} allocations/s`,
    `${waits.length} wait`,
  ].join(dim('  |  '));
  const width = Math.max(20, Math.min(columns, 120) - 2);
  const bar = barOf(frame, width, isColoured);
  const legend = PLACES.filter((place) => places[place] > 0)
    .map((place) => `${paint(`38;5;${COLOURS[place]}`, isColoured ? '■' : '')} ${place} ${places[place]}`.trim())
    .join('  ');
  const { description, kind, state: serving, wanted } = frame.provider;
  const reported = Object.entries(description ?? {}).filter(([key]) => key !== 'kind');
  const provider = [
    `provider ${kind}${serving === 'gone' ? ', its thread is gone' : ''}`,
    ...(wanted > 0 ? [`wanted ${wanted}`] : []),
    ...reported.map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : value}`),
  ].join('  ');
  const threads = table(
    ['thread', 'port', 'state', 'holds', 'caches', 'waits for'],
    ports
      .filter(({ isClaimed }) => isClaimed)
      .map((port) => [
        port.label,
        String(port.portId),
        port.state,
        String(port.held),
        String(port.cached),
        port.waits
          .map(({ forMs, what }) =>
            what.startsWith('an entry') ? what : `${what}, at least ${(forMs / 1000).toFixed(1)} s`,
          )
          .join('; '),
      ]),
  );
  const queues = table(
    ['channel', 'entries', 'of', 'sent/s', 'received/s', 'dropped'],
    [
      ...channels.map((channel, i) => [
        channel.name,
        String(channel.pending),
        String(channel.capacity),
        short(rates?.channels[i]?.sent ?? 0),
        short(rates?.channels[i]?.received ?? 0),
        String(channel.dropped),
      ]),
      ...calls.map((call, i) => [
        `${call.name}()`,
        String(call.waiting + call.serving),
        String(call.capacity),
        short(rates?.calls[i]?.asked ?? 0),
        short(rates?.calls[i]?.answered ?? 0),
        String(call.failed),
      ]),
    ],
  );
  const findings = lints.map((lint) => `${paint('33', lint.name)}: ${lint.what}\n  ${dim(`-> ${lint.remedy}`)}`);
  const [heads = '', ...threadRows] = threads;
  const [queueHeads = '', ...queueRows] = queues;
  return [
    head,
    '',
    bar,
    legend,
    dim(provider),
    '',
    dim(heads),
    ...threadRows,
    ...(queueRows.length > 0 ? ['', dim(queueHeads), ...queueRows] : []),
    ...(findings.length > 0 ? ['', ...findings] : []),
  ].join('\n');
}

/** Places as parts of a bar. */
function barOf({ pageCount, places }: Frame, width: number, isColoured: boolean): string {
  let [text, done, pages] = ['', 0, 0];
  for (const place of ORDER) {
    pages += places[place];
    const end = Math.round((width * pages) / pageCount);
    const part = Math.max(0, end - done);
    text += isColoured ? `\u001b[48;5;${COLOURS[place]}m${' '.repeat(part)}\u001b[0m` : place[0]?.repeat(part);
    done = Math.max(done, end);
  }
  return `${text}${isColoured ? `\u001b[48;5;236m${' '.repeat(width - done)}\u001b[0m` : '.'.repeat(width - done)}`;
}

/** Lines of a table, the heads first; figures stand to the right. */
function table(heads: readonly string[], rows: readonly string[][]): string[] {
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => (row[i] ?? '').length)));
  const isFigure = heads.map((_, i) => rows.every((row) => /^[\d., kMG]*$/.test(row[i] ?? '')));
  return [heads, ...rows].map((row) =>
    row
      .map((cell, i) => (isFigure[i] ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number)))
      .join('  ')
      .trimEnd(),
  );
}

function short(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  return value >= 1e4 ? `${(value / 1e3).toFixed(1)} k` : value.toFixed(value < 10 ? 1 : 0);
}
