// The first worker of two-workers-main.js: doubles each byte and sends the page on.

import { attach } from 'pagepool/attach';

self.onmessage = async ({ data }) => {
  const pool = attach(data);
  const fragment = await pool.channel('first').next();
  const { bytes } = fragment;
  for (let i = 0; i < bytes.length; i++) bytes[i] *= 2;
  await pool.channel('second').sendAsync(fragment);
  pool.detach();
  self.postMessage('left');
};
