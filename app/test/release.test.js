import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { describe, it } from 'node:test';

import { askDigest, createRelease } from '../src/release.js';
import { captureLog } from './captured-log.js';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

/** A stand-in for the metadata endpoint of an ECS task. */
async function metadata(t, answer) {
  let asked = 0;
  const server = http.createServer((request, response) => {
    asked += 1;
    answer(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { uri: `http://127.0.0.1:${server.address().port}/v4/task`, asked: () => asked };
}

const image = (reference) => (response) => response.end(JSON.stringify({ DockerId: 'x', Image: reference }));

describe('the release', () => {
  it('asks for the digest once, however often it is described', async (t) => {
    const { uri, asked } = await metadata(t, image(`registry.example/penguinshop@${digest}`));
    const { log, lines } = captureLog();
    const release = createRelease({ commit: 'c0ffee', colour: 'blue', digest: askDigest(uri, log) });
    for (let round = 0; round < 3; round += 1) {
      assert.deepEqual(await release.describe(), { commit: 'c0ffee', digest, colour: 'blue' });
    }
    assert.equal(asked(), 1);
    assert.deepEqual(lines, []);
  });

  it('has no digest outside ECS', async () => {
    assert.equal(await askDigest(null, captureLog().log), null);
  });

  it('has no digest when the image is named by tag', async (t) => {
    const { uri } = await metadata(t, image('registry.example/penguinshop:latest'));
    assert.equal(await askDigest(uri, captureLog().log), null);
  });

  it('asks again when a busy machine does not answer at first', async (t) => {
    let failures = 2;
    const { uri } = await metadata(t, (response) => {
      failures -= 1;
      return failures >= 0 ? response.writeHead(503).end() : image(`registry.example/penguinshop@${digest}`)(response);
    });
    const { log, lines } = captureLog();
    assert.equal(await askDigest(uri, log, { pauseMs: 1 }), digest);
    assert.deepEqual(lines, []);
  });

  for (const [name, answer] of Object.entries({
    fails: (response) => response.writeHead(500).end(),
    'is no JSON': (response) => response.end('<html>'),
    'never comes': () => {},
  })) {
    it(`has no digest, and says so once, when the answer ${name}`, async (t) => {
      const { uri, asked } = await metadata(t, answer);
      const { log, lines } = captureLog();
      assert.equal(await askDigest(uri, log, { attempts: 2, pauseMs: 1 }), null);
      assert.equal(asked(), 2);
      assert.deepEqual(lines.map(({ level }) => level), ['warn']);
    });
  }
});
