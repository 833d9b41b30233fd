/**
 * What the environment may say, in the order in which a person would look for it. `read` turns the text into the value or
 * throws a sentence that says what a right value looks like.
 */
const variables = {
  PORT: { key: 'port', fallback: 8080, read: whole(0, 65535) },
  HOST: { key: 'host', fallback: undefined, read: (text) => text },
  COLOUR: { key: 'colour', fallback: null, read: oneOf('blue', 'green') },
  COMMIT: { key: 'commit', fallback: null, read: (text) => text },
  LOG_LEVEL: { key: 'logLevel', fallback: 'info', read: oneOf('debug', 'info', 'warn', 'error') },
  // ECS kills a task 30 s after SIGTERM unless its stopTimeout says otherwise; ending earlier keeps the last log lines.
  SHUTDOWN_SECONDS: { key: 'shutdownSeconds', fallback: 25, read: whole(1, 120) },
  // An Application Load Balancer keeps idle connections for 60 s by default. The side that closes first must be the load
  // balancer, or it may send a request into a connection that has just gone, and answer 502.
  KEEP_ALIVE_SECONDS: { key: 'keepAliveSeconds', fallback: 65, read: whole(1, 4000) },
  // Less than the deregistration delay of the load balancer, which cuts what is still open then.
  LIVE_SECONDS: { key: 'liveSeconds', fallback: 20, read: whole(1, 3600) },
  ECS_CONTAINER_METADATA_URI_V4: { key: 'metadataUri', fallback: null, read: url },
};

/**
 * Reads the service's settings. An empty variable counts as absent.
 *
 * @param {Record<string, string | undefined>} environment
 * @returns {{settings: object, problems: string[]}} every problem at once; the settings are whole when there is none
 */
export function readSettings(environment) {
  const settings = {};
  const problems = [];
  for (const [name, { key, fallback, read }] of Object.entries(variables)) {
    const text = environment[name] ?? '';
    try {
      settings[key] = text === '' ? fallback : read(text);
    } catch (error) {
      problems.push(`${name}: ${JSON.stringify(text)} is not ${error.message}`);
    }
  }
  return { settings, problems };
}

function whole(least, most) {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new Error(`a whole number from ${least} to ${most}`);
    }
    return value;
  };
}

function oneOf(...words) {
  return (text) => {
    if (!words.includes(text)) {
      throw new Error(`one of ${words.join(', ')}`);
    }
    return text;
  };
}

function url(text) {
  if (!URL.canParse(text) || new URL(text).protocol !== 'http:') {
    throw new Error('an http address, such as http://169.254.170.2/v4/0123456789abcdef');
  }
  return text;
}
