// Packets as an installed package gives them: sent and received, searched, read over borders, cut into lines; records
// and lines of text. Prints one line of JSON.

import { PagePool } from 'pagepool';
import 'pagepool/typescript';
import { lines, Packet, packets, RecordWriter, records, sendPacket, textLines } from 'pagepool/packet';

// Nobody reads while they write.
const channels = { work: { capacity: 8 }, log: { capacity: 8 }, text: { capacity: 8 } };
const results = [];
for (const engine of ['wasm', 'typescript']) {
  const pool = await PagePool.create({ engine, pageCount: 16, channels });
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
  const texts = ['one\r\nt', 'wö\n', 'x'.repeat(5000), '', '€'];
  const [log, text] = [pool.channel('log'), pool.channel('text')];
  for (const channel of [log, text]) {
    const writer = new RecordWriter(channel);
    for (const record of texts) if (!writer.write(record)) throw new Error('no room');
    await writer.flush();
    channel.close();
  }
  const read = [];
  for await (const message of packets(log)) {
    for (const record of records(message)) read.push(new TextDecoder().decode(record.slice()));
    message.release();
  }
  const rows = [];
  for await (const some of textLines(text)) rows.push(...some);
  const areRecords = read.length === 5 && read.every((record, i) => record === texts[i]);
  const isText = rows.join('|') === `one|twö|${'x'.repeat(5000)}€`;
  const { balanced, exact, references } = pool.audit();
  results.push({
    engine: pool.engine,
    word,
    found,
    lines: cut,
    areRecords,
    isText,
    isHome: balanced && exact && references.ledgers === 0,
  });
  await pool.close();
}
console.log(JSON.stringify(results));
