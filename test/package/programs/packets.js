// Packets as an installed package gives them: sent and received, searched, read over borders, cut into lines. Prints
// one line of JSON.

import { PagePool } from 'pagepool';
import { lines, Packet, packets, sendPacket } from 'pagepool/packet';

const results = [];
for (const engine of ['wasm', 'typescript']) {
  const pool = await PagePool.create({ engine, pageCount: 16, channels: { work: {} } });
  const work = pool.channel('work');
  const put = (...bytes) => {
    const fragment = pool.take(bytes.length);
    fragment.bytes.set(bytes);
    return fragment;
  };
  const packet = new Packet().append(put(1, 2, 97)).append(put(98, 10, 99));
  const [word, found] = [packet.getUint32(1), packet.indexOf(Uint8Array.of(98, 10))];
  sendPacket(work, packet);
  sendPacket(work, new Packet().append(put(100, 13)).append(put(10)));
  work.close();
  const cut = [];
  for await (const line of lines(packets(work))) {
    cut.push([...line].map((view) => [...view]));
    line.release();
  }
  const { balanced, exact, references } = pool.audit();
  results.push({ engine: pool.engine, word, found, lines: cut, isHome: balanced && exact && references.ledgers === 0 });
  await pool.close();
}
console.log(JSON.stringify(results));
