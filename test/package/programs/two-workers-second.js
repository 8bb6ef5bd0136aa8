// The second worker of two-workers-main.js: doubles each byte and sends the page on.

import { attach } from 'pagepool/attach';

self.onmessage = async ({ data }) => {
  const pool = attach(data);
  const fragment = await pool.channel('second').next();
  const { bytes } = fragment;
  for (let i = 0; i < bytes.length; i++) bytes[i] *= 2;
  await pool.channel('back').sendAsync(fragment);
  pool.detach();
  self.postMessage('left');
};
