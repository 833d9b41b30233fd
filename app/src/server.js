import http from 'node:http';

/**
 * An HTTP server whose idle connections outlive the load balancer's.
 *
 * @param {http.RequestListener} handler
 * @param {{keepAliveSeconds: number}} settings
 */
export function createServer(handler, { keepAliveSeconds }) {
  const server = http.createServer({ keepAliveTimeout: keepAliveSeconds * 1000 }, handler);
  // A kept connection is silent until its next request, which must not count against the time for sending headers.
  server.headersTimeout = (keepAliveSeconds + 1) * 1000;
  return server;
}

/**
 * Stops accepting connections, closes the idle ones, lets every request in flight finish, and cuts what is left when the
 * limit is reached.
 *
 * @param {http.Server} server
 * @param {number} limitSeconds
 * @returns {Promise<number>} how many connections were cut: 0 when everybody was answered
 */
export async function stopGracefully(server, limitSeconds) {
  const closed = new Promise((resolve) => server.close(() => resolve(0)));
  // close() ends the connections that are idle now; one that is busy now falls idle when its response ends.
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  let limit;
  const reached = new Promise((resolve) => {
    limit = setTimeout(() => server.getConnections((error, count) => resolve(count)), limitSeconds * 1000);
  });
  const cut = await Promise.race([closed, reached]);
  clearInterval(idle);
  clearTimeout(limit);
  server.closeAllConnections();
  return cut;
}
