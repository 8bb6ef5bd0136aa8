// Text: the same bytes are the same text in one fragment and cut anywhere, for every encoding that the platform has.

import assert from 'node:assert/strict';
import { decodeText } from 'pagepool/border';
import { Packet } from 'pagepool/packet';
import { done, fragmentOf, withPool } from './support.mjs';

const ENCODINGS = `utf-8 utf-16le utf-16be ibm866 iso-8859-2 iso-8859-3 iso-8859-4 iso-8859-5 iso-8859-6 iso-8859-7
  iso-8859-8 iso-8859-8-i iso-8859-10 iso-8859-13 iso-8859-14 iso-8859-15 iso-8859-16 koi8-r koi8-u macintosh windows-874
  windows-1250 windows-1251 windows-1252 windows-1253 windows-1254 windows-1255 windows-1256 windows-1257 windows-1258
  x-mac-cyrillic gbk gb18030 big5 euc-jp iso-2022-jp shift_jis euc-kr x-user-defined
  utf8 unicode-1-1-utf-8 latin1 l1 ascii us-ascii iso-8859-1 cp1252 x-cp1252 ansi_x3.4-1968 iso_8859-1 sjis gb2312
  chinese ms_kanji x-sjis windows-31j korean ksc5601 big5-hkscs ucs-2 utf-16 unicodefffe dos-874 mac`.split(/\s+/);

/** Encoded texts of which the characters are known. */
const KNOWN = [
  ['utf-8', 'e282ac20f09f9880', '\u20ac \u{1f600}'],
  ['windows-1252', '80929f41a0ff', '\u20ac\u2019\u0178A\u00a0\u00ff'],
  ['latin1', '80929f41a0ff', '\u20ac\u2019\u0178A\u00a0\u00ff'],
  ['ascii', '808dff', '\u20ac\u008d\u00ff'],
  ['gbk', 'd6d0cec441', '\u4e2d\u6587A'],
  ['gb18030', 'd6d081308130', '\u4e2d\u0080'],
  ['big5', 'a4a4a4e5', '\u4e2d\u6587'],
  ['shift_jis', '93fa967b', '\u65e5\u672c'],
  ['euc-jp', 'c6fccbdc', '\u65e5\u672c'],
  ['iso-2022-jp', '1b2442467c4b5c1b284241', '\u65e5\u672cA'],
  ['euc-kr', 'c7d1b1db', '\ud55c\uae00'],
  ['koi8-r', 'f2d5d3', '\u0420\u0443\u0441'],
  ['utf-16le', '3dd800de4100', '\u{1f600}A'],
];

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
let state = seed;
/** A number below `below`, from the seed. */
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let word = Math.imul(state ^ (state >>> 15), 1 | state);
  word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
  return ((word ^ (word >>> 14)) >>> 0) % below;
}

/** Bytes with what is special in some encoding among them: marks, escapes, halves of characters. */
function randomBytes() {
  const special = [0xef, 0xbb, 0xbf, 0xfe, 0xff, 0x1b, 0x24, 0x42, 0xed, 0xa0, 0xf0, 0x9f, 0xe2, 0x82, 0x81, 0x30];
  return Buffer.from(
    Array.from({ length: 1 + random(40) }, () => (random(3) === 0 ? special[random(16)] : random(256))),
  );
}

const textOf = (source, options) => {
  try {
    return decodeText(source, options);
  } catch (error) {
    return error.name;
  }
};

/** The text of the bytes, cut where the function says. */
function cutText(pool, bytes, options, step) {
  const packet = new Packet();
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(step(), bytes.length - at);
    packet.append(fragmentOf(pool, bytes.subarray(at, at + length)));
    at += length;
  }
  try {
    return textOf(packet, options);
  } finally {
    packet.release();
  }
}

await withPool({ pageBytes: 256, pageCount: 64 }, async (pool) => {
  for (const [encoding, hex, text] of KNOWN) {
    const bytes = Buffer.from(hex, 'hex');
    assert.equal(
      cutText(pool, bytes, { encoding }, () => bytes.length),
      text,
      `${encoding}, in one piece`,
    );
    assert.equal(
      cutText(pool, bytes, { encoding }, () => 1),
      text,
      `${encoding}, byte by byte`,
    );
    assert.equal(decodeText(Uint8Array.from(bytes), { encoding }), text, `${encoding}, private memory`);
  }
  const isThere = (encoding) => textOf(Buffer.from('a'), { encoding }) === 'a' || /utf-?16|ucs/.test(encoding);
  for (const encoding of ENCODINGS.filter(isThere)) {
    for (let i = 0; i < 100; i++) {
      const options = { encoding, fatal: random(2) === 0 };
      const bytes = randomBytes();
      const whole = cutText(pool, bytes, options, () => bytes.length);
      const said = `SEED=${seed}: ${encoding}, fatal: ${options.fatal}, ${bytes.toString('hex')}`;
      assert.equal(
        cutText(pool, bytes, options, () => 1),
        whole,
        `${said}, byte by byte`,
      );
      assert.equal(
        cutText(pool, bytes, options, () => 1 + random(5)),
        whole,
        `${said}, in pieces`,
      );
      assert.equal(textOf(bytes, options), whole, `${said}, private memory`);
    }
  }
});
done(0, 0);
