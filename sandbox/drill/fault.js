// What a drill does to a release of the shop, in the place of a mistake that somebody might have made. It acts in a task
// only, so that the app's own tests pass as they would with a mistake that they do not look for.
import http from 'node:http';
import process from 'node:process';

const leak = [];
let asked = 0;

/** Each returns true where it has answered the request itself, or a promise that holds the answer up. */
const faults = {
  none: {},
  'exits-at-start': {
    start: () => {
      process.stderr.write('the drill ends this container at its start\n');
      process.exit(3);
    },
  },
  'never-healthy': { request: ({ path }, response) => path === '/readyz' && fail(response) },
  'fails-probes': { request: ({ path }, response) => path !== '/readyz' && fail(response) },
  'fails-users': { request: ({ user }, response) => user && fail(response) },
  'fails-one-percent': { request: ({ user }, response) => user && ++asked % 100 === 0 && fail(response) },
  slow: { request: ({ user }) => user && pause(1500) },
  leaks: {
    request: ({ user }) => {
      if (user) {
        leak.push(Buffer.alloc(16 << 20, 1)); // filled, or the system would lend it without keeping any
      }
      return false;
    },
  },
  'dies-when-told': { request: ({ path }) => path === '/drill/die' && process.exit(4) },
};

/** Breaks every server that is made after this call. */
export function breakIt(name) {
  const fault = faults[name];
  if (!process.env.ECS_CONTAINER_METADATA_URI_V4) {
    return;
  }
  fault.start?.();
  const emit = http.Server.prototype.emit;
  http.Server.prototype.emit = function (event, request, response) {
    if (event !== 'request') {
      return emit.apply(this, arguments);
    }
    if (name !== 'none') {
      response.setHeader('X-Drill-Fault', name);
    }
    const url = new URL(request.url, 'http://drill');
    const agent = request.headers['user-agent'] ?? '';
    const user = !agent.startsWith('ELB-HealthChecker') && agent !== 'penguinshop-shiftfn';
    Promise.resolve(fault.request?.({ path: url.pathname, user }, response)).then(async (answered) => {
      if (url.pathname === '/drill/slow') {
        await pause(Number(url.searchParams.get('ms')));
        response.end('slow');
      } else if (!answered) {
        emit.call(this, event, request, response);
      }
    });
    return true;
  };
}

function fail(response) {
  response.statusCode = 500;
  response.end('broken by a drill');
  return true;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms, false));
