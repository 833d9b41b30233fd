import { STATUS_CODES } from 'node:http';

import { WebSocketServer } from 'ws';

export const livePath = '/live';

/** RFC 6455, 7.4.1: an endpoint goes away, such as a server that stops. A browser may come again. */
const goingAway = 1001;

/** Nobody has anything to say here, so what a client sends is small. */
const longestMessage = 1024;

/**
 * Tells each page over a WebSocket which release serves it, so that one that stands open for long learns of a new release.
 *
 * A load balancer moves no conversation from one target to another, and cuts those of a leaving target when its
 * deregistration delay is over. So none lasts longer than `liveSeconds`, which is to be less than that delay: the page begins
 * the next one, with whichever release the load balancer chooses then.
 *
 * @param {import('node:http').Server} server
 * @param {{release: {describe: () => Promise<object>}, log: object, state: {stopping: boolean}, liveSeconds: number}} parts
 * @returns {{end: () => void}} end closes every conversation, as one that goes away
 */
export function createLive(server, { release, log, state, liveSeconds }) {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: longestMessage });
  server.on('upgrade', (request, connection, head) => {
    connection.on('error', () => connection.destroy()); // the client went away: there is nobody to tell
    const [path] = request.url.split('?', 1);
    if (path !== livePath) {
      refuse(connection, 404);
    } else if (state.stopping) {
      refuse(connection, 503);
    } else {
      sockets.handleUpgrade(request, connection, head, (socket) => sockets.emit('connection', socket));
    }
  });
  sockets.on('connection', async (socket) => {
    const began = performance.now();
    // Not all at once, or the pages that a stopping target has left would come back together for ever.
    const life = setTimeout(() => socket.close(goingAway, 'come again'), liveSeconds * 1000 * (0.75 + Math.random() / 4));
    socket.on('error', (error) => log.debug({ err: error, path: livePath }, 'a conversation broke'));
    socket.once('close', (code) => {
      clearTimeout(life);
      log.info({ path: livePath, code, durationMs: Math.round(performance.now() - began) }, 'conversation');
    });
    socket.send(JSON.stringify(await release.describe()));
  });
  return {
    end: () => sockets.clients.forEach((socket) => socket.close(goingAway, 'stopping')),
  };
}

function refuse(connection, status) {
  connection.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
