// Frames: sandboxed with an origin of their own, which is refused locks, and not.

import { orHung } from '../support/waiting.js';

/** What a frame with that `sandbox` finds; null: none. */
async function tryFrame(sandbox) {
  const frame = document.createElement('iframe');
  if (sandbox !== null) frame.sandbox = sandbox;
  frame.allow = 'cross-origin-isolated';
  frame.src = new URL('sandbox.html', import.meta.url);
  const answer = new Promise((resolve) => {
    addEventListener('message', function listen({ data, source }) {
      if (source !== frame.contentWindow) return;
      removeEventListener('message', listen);
      resolve(data);
    });
  });
  document.body.append(frame);
  try {
    return await orHung(answer, `frame ${sandbox}`);
  } finally {
    frame.remove();
  }
}

export async function sandbox() {
  return {
    none: await tryFrame(null),
    opaque: await tryFrame('allow-scripts'),
    'same origin': await tryFrame('allow-scripts allow-same-origin'),
  };
}
