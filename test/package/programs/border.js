// The border as an installed package gives it: what each API makes of what the helpers return. Prints one line of JSON.

import { createHash } from 'node:crypto';
import { PagePool } from 'pagepool';
import { capabilities, decodeText, digest, sendable, toUnshared } from 'pagepool/border';
import { Packet } from 'pagepool/packet';

const pool = await PagePool.create({ pageCount: 4 });
const text = 'pages: ½ €, 😀'.repeat(50);
const plain = new TextEncoder().encode(text);
const fragment = pool.take(plain.length);
fragment.bytes.set(plain);
const packet = new Packet().append(fragment.slice(0, 9)).append(fragment.slice(9, plain.length - 9));

const same = (bytes) => bytes.length === plain.length && plain.every((byte, i) => bytes[i] === byte);
const bytesOf = async (thing) => new Uint8Array(await thing.arrayBuffer());
const hash = createHash('sha256').update(plain).digest();
// At first nothing is known, then everything.
const rounds = [];
for (const isKnown of [false, true]) {
  const { views } = isKnown ? await capabilities() : { views: undefined };
  const clone = structuredClone(sendable(fragment, 'structuredClone'));
  const body = new Response(sendable(fragment, 'fetch body'));
  const blob = new Blob([sendable(fragment, 'Blob')]);
  const sources = [fragment, packet];
  rounds.push({
    text: sources.map((source) => decodeText(source) === text),
    digest: (await Promise.all(sources.map((source) => digest(source)))).map((found) => hash.equals(found)),
    copies: sources.map((source) => same(toUnshared(source))),
    body: same(await bytesOf(body)),
    blob: same(await bytesOf(blob)),
    clone: same(clone),
    isRight:
      views === undefined ||
      Object.entries(views).every(
        ([api, { copies }]) => (sendable(fragment, api).buffer === fragment.bytes.buffer) === !copies,
      ),
  });
}
fragment.release();
packet.release();
const { views } = await capabilities();
const { balanced, exact, references } = pool.audit();
console.log(
  JSON.stringify({
    rounds,
    body: views['fetch body'].verdict,
    digest: views['crypto.subtle.digest'].verdict,
    isHome: balanced && exact && references.ledgers === 0,
    isDestroyed: (await pool.close()).isDestroyed,
  }),
);
