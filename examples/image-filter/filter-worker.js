// Filters pictures on the processor: each call brings a picture in a page, and is answered with another page.

import { attach } from '/pagepool/attach.js';
import '/pagepool/calls.js';
import { BYTES, filterHere } from './filter.js';

let strength = 0;

self.onmessage = async ({ data: { share, label } }) => {
  self.onmessage = ({ data }) => {
    strength = data.strength;
  };
  const pool = attach(share, { label });
  await pool.calls('filter').serve(({ request }) => {
    const output = pool.take(BYTES);
    if (output === null) throw new Error('no page for the filtered picture'); // who asked hears of it
    filterHere(request.bytes, output.bytes, strength);
    return output; // goes along with its reference
  });
  pool.detach(); // the pool closes
};
