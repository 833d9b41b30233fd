import { fileURLToPath } from 'node:url';

import express from 'express';
import helmet from 'helmet';

import { logRequests } from './log.js';
import { findProduct, products } from './products.js';

const publicFolder = fileURLToPath(new URL('../public', import.meta.url));

/** The page needs its own files and its own API, and nothing else: no inline code, no frames, no other host. */
const contentSecurityPolicy = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'"],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
};

/**
 * The shop as an Express application: page, product API, health and version.
 *
 * @param {{release: {describe: () => Promise<object>}, log: object, state: {stopping: boolean}}} parts
 *   state.stopping turns /readyz to 503 and asks every client to close its connection
 */
export function createShop({ release, log, state }) {
  const shop = express();
  shop.disable('x-powered-by');
  shop.use(logRequests(log));
  shop.use((request, response, next) => {
    if (state.stopping) {
      response.set('Connection', 'close');
    }
    next();
  });
  shop.use(helmet({ contentSecurityPolicy }));

  const readOnly = (path, handler) => {
    shop
      .route(path)
      .get(handler)
      .all((request, response) => {
        response.set('Allow', 'GET, HEAD');
        fail(response, 405, 'method_not_allowed', `${request.method} is not possible here: use GET`);
      });
  };

  readOnly('/healthz', (request, response) => {
    response.set('Cache-Control', 'no-store').json({ status: 'alive' });
  });
  readOnly('/readyz', (request, response) => {
    response
      .set('Cache-Control', 'no-store')
      .status(state.stopping ? 503 : 200)
      .json({ status: state.stopping ? 'stopping' : 'ready' });
  });
  readOnly('/version', async (request, response) => {
    response.set('Cache-Control', 'no-store').json(await release.describe());
  });
  readOnly('/api/products', (request, response) => {
    response.set('Cache-Control', 'no-cache').json({ products });
  });
  readOnly('/api/products/:id', (request, response) => {
    const product = findProduct(request.params.id);
    if (product === undefined) {
      fail(response, 404, 'product_not_found', `there is no product ${JSON.stringify(request.params.id)}: see /api/products`);
      return;
    }
    response.set('Cache-Control', 'no-cache').json(product);
  });

  // A browser asks again every time and mostly hears 304, so that a new release shows at once.
  shop.use(express.static(publicFolder, { cacheControl: false, setHeaders: (response) => response.set('Cache-Control', 'no-cache') }));

  shop.use((request, response) => fail(response, 404, 'not_found', `there is nothing at ${request.path}`));
  shop.use((error, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const status = error.status >= 400 && error.status < 500 ? error.status : 500;
    if (status < 500) {
      fail(response, status, 'bad_request', 'the address or the request cannot be read');
      return;
    }
    log.error({ err: error, method: request.method, path: request.path }, 'a request failed');
    fail(response, 500, 'internal_error', 'the shop failed to answer: try again');
  });
  return shop;
}

function fail(response, status, code, message) {
  response.status(status).set('Cache-Control', 'no-store').json({ error: { code, message } });
}
