import pino from 'pino';

/**
 * The service's log: one JSON object a line on standard output, each with the release that wrote it.
 *
 * @param {{logLevel: string, commit: string | null, colour: string | null}} settings
 * @param {import('pino').DestinationStream} [to] where the lines go; standard output unless told
 */
export function createLog({ logLevel, commit, colour }, to) {
  return pino(
    {
      level: logLevel,
      base: { commit, colour },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    to,
  );
}

// A load balancer asks these every few seconds; at info they would drown what people did.
const probes = new Set(['/healthz', '/readyz']);

/**
 * Logs each request once, when its response has gone or its client has. Only named fields are written: headers and query
 * strings may carry what a log must not hold, such as the preview header's value.
 */
export function logRequests(log) {
  return (request, response, next) => {
    const started = performance.now();
    const { method, path } = request;
    response.once('close', () => {
      const { statusCode: status, writableFinished: finished } = response;
      const level = status >= 500 ? 'error' : probes.has(path) ? 'debug' : 'info';
      log[level](
        {
          method,
          path,
          status,
          durationMs: Math.round((performance.now() - started) * 10) / 10,
          traceId: request.get('x-amzn-trace-id'),
          ...(finished ? {} : { aborted: true }),
        },
        'request',
      );
    });
    next();
  };
}
