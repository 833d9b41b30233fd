import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import WebSocket from 'ws';

const main = fileURLToPath(new URL('../index.js', import.meta.url));

/** Starts the real service as a process of its own. */
function start(t, environment = {}) {
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const seen = [];
  const waiting = new Set();
  createInterface({ input: child.stdout }).on('line', (text) => {
    seen.push(JSON.parse(text));
    waiting.forEach((look) => look());
  });
  const exited = once(child, 'exit').then(([code]) => code);
  const line = (message) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = seen.find(({ msg }) => msg.startsWith(message));
        if (found) {
          waiting.delete(look);
          resolve(found);
        }
      };
      waiting.add(look);
      look();
      exited.then(() => setImmediate(() => reject(new Error(`it ended before it said ${JSON.stringify(message)}`))));
    });
  return { child, line, exited };
}

/** A client that writes raw bytes, so that a request can be under way for as long as a test wants. */
async function connect(t, port) {
  const socket = net.connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  let received = '';
  socket.setEncoding('utf8');
  socket.on('data', (text) => {
    received += text;
  });
  const ended = once(socket, 'close').then(() => received);
  return { socket, ended, received: () => received };
}

/** Waits until nobody new is let in. */
async function refuses(port) {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      socket.destroy();
    } catch (error) {
      assert.match(error.code, /^(ECONNREFUSED|ECONNRESET)$/);
      if (error.code === 'ECONNREFUSED') {
        return;
      }
    }
  }
}

async function answered(client) {
  while (!/\r\n\r\n[^]*[}\]]/.test(client.received())) {
    await once(client.socket, 'data');
  }
}

const head = (path) => `GET ${path} HTTP/1.1\r\nHost: shop\r\n`;

describe('stopping on SIGTERM', { timeout: 60_000 }, () => {
  it('finishes the request that is under way, then ends with code 0', async (t) => {
    const shop = start(t);
    const { port } = await shop.line('listening');
    const products = await connect(t, port);
    const ready = await connect(t, port);
    products.socket.write(head('/api/products'));
    ready.socket.write(head('/readyz'));
    // Answered on a third connection: by then the two halves above have been read.
    const idle = await connect(t, port);
    idle.socket.write(`${head('/healthz')}\r\n`);
    await answered(idle);

    shop.child.kill('SIGTERM');
    await shop.line('stopping');
    assert.match(await idle.ended, /200 OK/, 'an idle connection is closed');
    await refuses(port);

    products.socket.write('\r\n');
    ready.socket.write('\r\n');
    const [listed, refused] = await Promise.all([products.ended, ready.ended]);
    assert.match(listed, /^HTTP\/1\.1 200 OK/);
    assert.match(listed, /\r\nConnection: close\r\n/);
    assert.match(listed, /"emperor"[^]*\}$/, 'the whole answer arrived');
    assert.match(refused, /^HTTP\/1\.1 503 /, 'a health check on a kept connection hears that it is not ready');
    assert.equal(await shop.exited, 0);
  });

  it('says good-bye to the pages that listen, and does not wait for more from them', async (t) => {
    const shop = start(t, { SHUTDOWN_SECONDS: '120' });
    const { port } = await shop.line('listening');
    const page = new WebSocket(`ws://127.0.0.1:${port}/live`);
    await once(page, 'message');
    shop.child.kill('SIGTERM');
    const [code] = await once(page, 'close');
    assert.equal(code, 1001);
    assert.equal(await shop.exited, 0);
  });

  it('cuts a request that does not end within the limit, and ends with code 1', async (t) => {
    const shop = start(t, { SHUTDOWN_SECONDS: '1' });
    const { port } = await shop.line('listening');
    const slow = await connect(t, port);
    slow.socket.write(head('/'));
    const other = await connect(t, port);
    other.socket.write(`${head('/healthz')}\r\n`);
    await answered(other);

    shop.child.kill('SIGTERM');
    const { connections, level } = await shop.line('stopped: the limit');
    assert.equal(connections, 1);
    assert.equal(level, 'error');
    assert.equal(await shop.exited, 1);
  });

  it('ends at once when there is nothing to finish', async (t) => {
    const shop = start(t, { SHUTDOWN_SECONDS: '120' });
    await shop.line('listening');
    shop.child.kill('SIGTERM');
    assert.equal(await shop.exited, 0);
  });
});

describe('starting', () => {
  it('says everything that is wrong with its environment, and does not start', async (t) => {
    const shop = start(t, { PORT: 'http', COLOUR: 'red' });
    let said = '';
    shop.child.stderr.on('data', (text) => {
      said += text;
    });
    const closed = once(shop.child, 'close');
    assert.equal(await shop.exited, 1);
    await closed;
    assert.match(said, /PORT: "http" is not a whole number[^]*COLOUR: "red" is not one of blue, green/);
  });

  it('says that its port is taken', async (t) => {
    const first = start(t);
    const { port } = await first.line('listening');
    const second = start(t, { PORT: String(port) });
    const { err } = await second.line('cannot listen');
    assert.equal(err.code, 'EADDRINUSE');
    assert.equal(await second.exited, 1);
  });
});
