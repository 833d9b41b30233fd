import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';

import WebSocket from 'ws';

import { createLive } from '../src/live.js';
import { createServer } from '../src/server.js';
import { captureLog } from './captured-log.js';

const described = { commit: 'c0ffee', digest: `sha256:${'a'.repeat(64)}`, colour: 'green' };

async function open(t, { liveSeconds = 60, stopping = false } = {}) {
  const { log } = captureLog();
  const server = createServer((request, response) => response.end(), { keepAliveSeconds: 5 });
  const live = createLive(server, { release: { describe: async () => described }, log, state: { stopping }, liveSeconds });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    live.end();
    server.close();
    server.closeAllConnections();
  });
  return { live, url: `ws://127.0.0.1:${server.address().port}` };
}

async function refused(url) {
  const socket = new WebSocket(url);
  const [, response] = await once(socket, 'unexpected-response');
  return response.statusCode;
}

describe('the live conversation', { timeout: 30_000 }, () => {
  it('tells the release at once', async (t) => {
    const { url } = await open(t);
    const socket = new WebSocket(`${url}/live?x=1`);
    const [told] = await once(socket, 'message');
    assert.deepEqual(JSON.parse(told), described);
    socket.close();
    await once(socket, 'close');
  });

  it('ends with 1001 before the load balancer would cut it', async (t) => {
    const { url } = await open(t, { liveSeconds: 1 });
    const began = performance.now();
    const socket = new WebSocket(`${url}/live`);
    const [code] = await once(socket, 'close');
    assert.equal(code, 1001);
    assert.ok(performance.now() - began > 700, 'not at once either');
  });

  it('ends with 1001 when the shop stops, and none begins then', async (t) => {
    const { url, live } = await open(t);
    const socket = new WebSocket(`${url}/live`);
    await once(socket, 'message');
    live.end();
    const [code, reason] = await once(socket, 'close');
    assert.deepEqual([code, String(reason)], [1001, 'stopping']);
    assert.equal(await refused(`${(await open(t, { stopping: true })).url}/live`), 503);
  });

  it('is had at its own address only', async (t) => {
    const { url } = await open(t);
    assert.equal(await refused(`${url}/api/products`), 404);
  });

  it('ends when a client says more than there is to say', async (t) => {
    const { url } = await open(t);
    const socket = new WebSocket(`${url}/live`);
    await once(socket, 'message');
    socket.send('x'.repeat(2000));
    const [code] = await once(socket, 'close');
    assert.equal(code, 1009);
  });
});
