import { createLog } from '../src/log.js';

/** A log whose lines end up in an array, parsed. */
export function captureLog(settings = {}) {
  const lines = [];
  const log = createLog(
    { logLevel: 'info', commit: 'c0ffee', colour: 'blue', ...settings },
    { write: (line) => lines.push(JSON.parse(line)) },
  );
  return { log, lines };
}
