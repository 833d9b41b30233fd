import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';

import request from 'supertest';

import { createShop } from '../src/shop.js';
import { captureLog } from './captured-log.js';

const described = { commit: 'c0ffee', digest: `sha256:${'a'.repeat(64)}`, colour: 'green' };

function open({ describe: tell = async () => described, stopping = false, logLevel } = {}) {
  const { log, lines } = captureLog({ logLevel: logLevel ?? 'info' });
  return { shop: request(createShop({ release: { describe: tell }, log, state: { stopping } })), lines };
}

describe('the product API', () => {
  it('lists every product with a price in whole cents', async () => {
    const { body } = await open().shop.get('/api/products').expect(200).expect('Content-Type', /json/);
    assert.ok(body.products.length >= 5);
    assert.equal(new Set(body.products.map(({ id }) => id)).size, body.products.length);
    for (const product of body.products) {
      assert.ok(Number.isInteger(product.priceCents) && product.priceCents > 0, product.id);
      assert.match(product.currency, /^[A-Z]{3}$/);
    }
  });

  it('answers each listed product by its id', async () => {
    const { shop } = open();
    const { body } = await shop.get('/api/products');
    for (const product of body.products) {
      const one = await shop.get(`/api/products/${product.id}`).expect(200);
      assert.deepEqual(one.body, product);
    }
  });

  it('says in JSON that a product does not exist, and where to look', async () => {
    for (const id of ['dodo', '__proto__', 'constructor']) {
      const { body } = await open().shop.get(`/api/products/${id}`).expect(404).expect('Content-Type', /json/);
      assert.equal(body.error.code, 'product_not_found');
      assert.match(body.error.message, new RegExp(`"${id}".*/api/products`));
    }
  });

  it('answers 404 in JSON for a path that nobody serves', async () => {
    const { body } = await open().shop.get('/api/orders').expect(404);
    assert.deepEqual(body, { error: { code: 'not_found', message: 'there is nothing at /api/orders' } });
  });

  it('refuses to change anything, and says which methods are possible', async () => {
    for (const method of ['post', 'put', 'patch', 'delete']) {
      const { body } = await open().shop[method]('/api/products').expect(405).expect('Allow', 'GET, HEAD');
      assert.equal(body.error.code, 'method_not_allowed');
    }
  });

  it('answers 400 for an address that cannot be decoded', async () => {
    const { body } = await open().shop.get('/api/products/%E0%A4%A').expect(400);
    assert.equal(body.error.code, 'bad_request');
  });
});

describe('health and version', () => {
  it('is alive and ready while it runs', async () => {
    const { shop } = open();
    await shop.get('/healthz').expect(200, { status: 'alive' });
    await shop.get('/readyz').expect(200, { status: 'ready' });
  });

  it('is alive but not ready while it stops, and asks for the connection to be closed', async () => {
    const { shop } = open({ stopping: true });
    await shop.get('/healthz').expect(200).expect('Connection', 'close');
    await shop.get('/readyz').expect(503, { status: 'stopping' }).expect('Connection', 'close');
    await shop.get('/api/products').expect(200).expect('Connection', 'close');
  });

  it('says which commit, image and colour is answering', async () => {
    await open().shop.get('/version').expect(200, described).expect('Cache-Control', 'no-store');
  });
});

describe('a failure inside', () => {
  it('is answered without its details, and logged with them', async () => {
    const { shop, lines } = open({
      describe: async () => {
        throw new Error('secret detail');
      },
    });
    const { text } = await shop.get('/version').expect(500).expect('Content-Type', /json/);
    assert.doesNotMatch(text, /secret detail|at .*\.js/);
    assert.equal(lines.find(({ msg }) => msg === 'a request failed').err.message, 'secret detail');
  });
});

describe('the page', () => {
  it('is served at the root, and asked for again on every visit', async () => {
    const { text } = await open().shop.get('/').expect(200).expect('Content-Type', /html/).expect('Cache-Control', 'no-cache');
    assert.match(text, /<h1>[^<]+<\/h1>/);
  });

  it('has nothing that its content security policy would stop', async () => {
    const { shop } = open();
    const { text } = await shop.get('/');
    assert.doesNotMatch(text, /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=/i, 'inline code');
    const links = [...text.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, link]) => link);
    assert.ok(links.length >= 3);
    for (const link of links) {
      assert.doesNotMatch(link, /^[a-z]+:|^\/\//i, 'only files of the shop, so that it works without the internet');
      await shop.get(`/${link}`).expect(200);
    }
    for (const file of ['shop.css', 'shop.js', 'penguin.svg']) {
      const { text: content, body } = await shop.get(`/${file}`);
      assert.doesNotMatch((content ?? body.toString()).replace('http://www.w3.org/2000/svg', ''), /https?:\/\/|@import/, file);
    }
  });

  it('draws every species that is sold', async () => {
    const { shop } = open();
    const { body } = await shop.get('/api/products');
    const { text } = await shop.get('/shop.css');
    for (const { id } of body.products) {
      assert.ok(text.includes(`[data-species="${id}"]`), id);
    }
  });

  it('does not serve files from outside its folder', async () => {
    for (const path of ['/../package.json', '/%2e%2e/package.json', '/..%2fpackage.json', '/package.json', '/.npmrc']) {
      const response = await open().shop.get(path);
      assert.ok([400, 403, 404].includes(response.status), `${path} answered ${response.status}`);
    }
  });
});

describe('security headers', () => {
  it('stand on every kind of answer, and do not name the framework', async () => {
    const { shop } = open();
    for (const path of ['/', '/shop.js', '/api/products', '/nothing', '/healthz']) {
      const { headers } = await shop.get(path);
      assert.match(headers['content-security-policy'], /^default-src 'none';/, path);
      assert.doesNotMatch(headers['content-security-policy'], /unsafe|\*|https?:/, path);
      assert.equal(headers['x-content-type-options'], 'nosniff', path);
      assert.equal(headers['referrer-policy'], 'no-referrer', path);
      assert.ok(headers['strict-transport-security'], path);
      assert.equal(headers['x-powered-by'], undefined, path);
    }
  });
});

describe('the log', () => {
  it('has one line a request, with the release that answered', async () => {
    const { shop, lines } = open();
    await shop.get('/api/products/dodo?token=hidden').set('X-Amzn-Trace-Id', 'Root=1-abc').set('X-Preview', 'hidden');
    assert.equal(lines.length, 1);
    const { time, durationMs, ...rest } = lines[0];
    assert.ok(!Number.isNaN(Date.parse(time)) && durationMs >= 0);
    assert.deepEqual(rest, {
      level: 'info',
      commit: 'c0ffee',
      colour: 'blue',
      method: 'GET',
      path: '/api/products/dodo',
      status: 404,
      traceId: 'Root=1-abc',
      msg: 'request',
    });
  });

  it('leaves health checks to the debug level', async () => {
    const quiet = open();
    await quiet.shop.get('/readyz');
    await quiet.shop.get('/healthz');
    assert.deepEqual(quiet.lines, []);
    const loud = open({ logLevel: 'debug' });
    await loud.shop.get('/readyz');
    assert.deepEqual(loud.lines.map(({ path }) => path), ['/readyz']);
  });
});

describe('the shop folder', () => {
  it('locks exact versions and no address to fetch them from', async () => {
    const lock = await readFile(new URL('../package-lock.json', import.meta.url), 'utf8');
    assert.doesNotMatch(lock, /"resolved"/);
    const { dependencies, devDependencies } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      assert.match(version, /^\d+\.\d+\.\d+$/, name);
    }
  });
});
