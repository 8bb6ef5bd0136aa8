// Serves the examples for browsers, with the two headers that let threads share memory.
//
//   npm run example:web   then open what it prints; PORT=8081 npm run example:web takes another port

import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const types = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.ts': 'text/plain; charset=utf-8', // sources, to be read
  '.webp': 'image/webp',
};
const folders = {
  '/pagepool/': new URL('../build/', import.meta.url),
  '/pictures/': new URL('../docs/pictures/', import.meta.url),
  '/': new URL('./', import.meta.url),
};

const server = createServer(async (request, response) => {
  response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
  response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
  response.setHeader('Cache-Control', 'no-cache'); // a source that was changed is what the browser shows
  const address = request.url?.startsWith('/') ? request.url : '/';
  const { pathname, search } = new URL(`http://localhost${address}`); // has no .. in it any more
  const path = pathname === '/' ? '/web-gallery/' : pathname;
  if (await isFolder(path)) {
    if (path.endsWith('/')) return send(response, `${path}index.html`);
    // Relative addresses in the page are meant from inside the folder.
    return response.writeHead(308, { Location: `${path}/${search}` }).end();
  }
  return send(response, path);
});

/** The file that a path names. */
function fileOf(path) {
  const [prefix, folder] = Object.entries(folders).find(([start]) => path.startsWith(start));
  return fileURLToPath(new URL(`.${path.slice(prefix.length - 1)}`, folder)); // throws for %2F
}

async function isFolder(path) {
  try {
    return (await stat(fileOf(path))).isDirectory();
  } catch {
    return false;
  }
}

async function send(response, path) {
  try {
    const content = await readFile(fileOf(path));
    response.setHeader('Content-Type', types[extname(path)] ?? 'application/octet-stream');
    response.end(content);
  } catch {
    response.writeHead(404, { 'Content-Type': types['.html'] });
    response.end(await readFile(new URL('./web-gallery/missing.html', import.meta.url)));
  }
}

const port = process.env.PORT ?? 8080;
server.on('error', ({ code, message }) => {
  console.error(code === 'EADDRINUSE' ? `port ${port} is in use: PORT=8081 npm run example:web` : message);
  process.exitCode = 1;
});
server.listen(port, '127.0.0.1', () => {
  console.log(`pagepool in the browser: http://127.0.0.1:${server.address().port}/ (Ctrl+C ends it)`);
});
