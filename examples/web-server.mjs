// Serves the examples for browsers, with the two headers that let threads share memory.
//
//   node scripts/build.mjs && node examples/web-server.mjs   then open what it prints, /web-frames/ or /audio-worklet/

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8' };
const folders = { '/pagepool/': new URL('../build/', import.meta.url), '/': new URL('./', import.meta.url) };

const server = createServer(async (request, response) => {
  response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
  response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
  const { pathname } = new URL(request.url ?? '/', 'http://localhost'); // has no .. in it any more
  const path = pathname.endsWith('/') ? `${pathname}index.html` : pathname;
  const [prefix, folder] = Object.entries(folders).find(([start]) => path.startsWith(start)) ?? [];
  try {
    const content = await readFile(fileURLToPath(new URL(`.${path.slice(prefix.length - 1)}`, folder)));
    response.setHeader('Content-Type', types[extname(path)] ?? 'application/octet-stream');
    response.end(content);
  } catch {
    // Browsers ask for an icon by themselves.
    response.writeHead(path === '/favicon.ico' ? 204 : 404).end();
  }
});
server.listen(process.env.PORT ?? 8080, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
