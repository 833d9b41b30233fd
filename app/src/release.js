import { setTimeout as sleep } from 'node:timers/promises';

/** How long the ECS agent may take to answer; it runs beside the container, so a second is long. */
const metadataTimeoutMs = 1000;

/**
 * Which release is answering: the commit that it was built from, the digest of its image and the colour it runs as. Each is
 * null where nobody said.
 *
 * @param {{commit: string | null, colour: string | null, digest: Promise<string | null>}} parts
 */
export function createRelease({ commit, colour, digest }) {
  return { describe: async () => ({ commit, digest: await digest, colour }) };
}

/**
 * Asks the ECS container metadata endpoint (version 4) which image this container was started from, and again for some seconds
 * where a busy machine does not answer in time. The answer is null outside ECS, when the endpoint keeps failing, and when the
 * task definition names the image by tag: a guess would be worse.
 *
 * @param {string | null} metadataUri the value of ECS_CONTAINER_METADATA_URI_V4
 * @param {{warn: Function}} log
 * @param {{attempts?: number, pauseMs?: number}} patience how often it is asked, and how long is waited in between
 * @returns {Promise<string | null>} sha256:…; never rejects
 */
export async function askDigest(metadataUri, log, { attempts = 6, pauseMs = 500 } = {}) {
  if (metadataUri === null) {
    return null;
  }
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await fetch(metadataUri, { signal: AbortSignal.timeout(metadataTimeoutMs) });
      if (!response.ok) {
        throw new Error(`it answered ${response.status}`);
      }
      const { Image: image } = await response.json();
      return /@(sha256:[0-9a-f]{64})$/.exec(image)?.[1] ?? null;
    } catch (error) {
      if (attempt >= attempts) {
        log.warn({ err: error }, 'the ECS metadata endpoint did not say which image this is: /version has no digest');
        return null;
      }
    }
    await sleep(pauseMs, undefined, { ref: false }); // a process that ends does not wait for it
  }
}
