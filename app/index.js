import process from 'node:process';

import { createLive } from './src/live.js';
import { createLog } from './src/log.js';
import { askDigest, createRelease } from './src/release.js';
import { createServer, stopGracefully } from './src/server.js';
import { readSettings } from './src/settings.js';
import { createShop } from './src/shop.js';

const { settings, problems } = readSettings(process.env);
if (problems.length > 0) {
  process.stderr.write(`penguinshop cannot start:\n${problems.map((problem) => `  ${problem}\n`).join('')}`);
  process.exit(1);
}

const log = createLog(settings);
const release = createRelease({ ...settings, digest: askDigest(settings.metadataUri, log) });
const state = { stopping: false };
const server = createServer(createShop({ release, log, state }), settings);
const live = createLive(server, { ...settings, release, log, state });

server.once('error', (error) => {
  log.fatal({ err: error, host: settings.host, port: settings.port }, 'cannot listen');
  process.exit(1);
});
server.listen(settings.port, settings.host, () => log.info(server.address(), 'listening'));

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, async () => {
    log.info({ signal, limitSeconds: settings.shutdownSeconds }, 'stopping');
    state.stopping = true;
    live.end();
    const cut = await stopGracefully(server, settings.shutdownSeconds);
    if (cut === 0) {
      log.info('stopped: every request was answered');
    } else {
      log.error({ connections: cut }, 'stopped: the limit was reached with connections still busy');
    }
    process.exit(cut === 0 ? 0 : 1);
  });
}
