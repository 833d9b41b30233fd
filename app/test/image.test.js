import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { describe, it } from 'node:test';

const read = (name) => readFile(new URL(`../${name}`, import.meta.url), 'utf8');

/** The Dockerfile's instructions, a list for each stage. */
async function stages() {
  const lines = (await read('Dockerfile')).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const found = [[]];
  for (const line of lines) {
    if (line.startsWith('FROM ')) {
      found.push([]);
    }
    found.at(-1).push(line);
  }
  return found;
}

describe('the image', () => {
  it('takes its base as a build argument, in every stage', async () => {
    const [before, ...built] = await stages();
    assert.match(before[0], /^ARG BASE_IMAGE=public\.ecr\.aws\/docker\/library\/node:24-slim$/);
    assert.ok(built.length >= 2, 'more than one stage');
    for (const stage of built) {
      assert.match(stage[0], /^FROM \$\{BASE_IMAGE\}/);
    }
  });

  it('has no development dependency and no install tool run in its last stage', async () => {
    const built = (await stages()).slice(1);
    assert.ok(built[0].includes('RUN npm ci --omit=dev'));
    assert.ok(!built.at(-1).some((line) => line.startsWith('RUN ')));
  });

  it('runs as a user that is not root, by number', async () => {
    const users = (await stages()).at(-1).filter((line) => line.startsWith('USER '));
    assert.equal(users.length, 1);
    assert.match(users[0], /^USER [1-9]\d*:[1-9]\d*$/);
  });

  it('copies the page after everything else, and bakes the commit after that', async () => {
    const last = (await stages()).at(-1);
    const copies = last.filter((line) => line.startsWith('COPY '));
    assert.equal(copies.at(-1), 'COPY public ./public');
    const commit = last.indexOf('ARG COMMIT');
    assert.ok(commit > last.indexOf('COPY public ./public'));
    assert.deepEqual(last.slice(commit).filter((line) => /^(COPY|RUN|ADD) /.test(line)), []);
  });

  it('is built from exactly the files that it copies', async () => {
    const allowed = (await read('.dockerignore')).split('\n').filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    const copied = (await stages())
      .flat()
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1));
    assert.deepEqual([...new Set(copied)].sort(), allowed.sort());
    const present = await readdir(new URL('..', import.meta.url));
    assert.deepEqual(copied.filter((name) => !present.includes(name)), []);
  });
});
