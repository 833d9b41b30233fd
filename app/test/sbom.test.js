import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';

import { complete, keep } from '../build/sbom.js';

const sha = (text) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const image = JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.docker.distribution.manifest.v2+json' });
const option = (options, name) => options[options.indexOf(name) + 1];

/** A registry that holds one image: layers by digest, artifacts by tag. */
function registry() {
  const layers = new Map();
  const tags = new Map();
  let part;
  const operations = {
    'batch-get-image': async (options) =>
      option(options, '--image-ids') === `imageDigest=${sha(image)}` ? { images: [{ imageManifest: image }] } : { images: [], failures: [{}] },
    'describe-images': async (options) => {
      const tag = option(options, '--image-ids').replace('imageTag=', '');
      if (!tags.has(tag)) {
        throw new Error('An error occurred (ImageNotFoundException) when calling the DescribeImages operation');
      }
      return {};
    },
    'batch-check-layer-availability': async (options) => ({
      layers: [{ layerAvailability: layers.has(option(options, '--layer-digests')) ? 'AVAILABLE' : 'UNAVAILABLE' }],
    }),
    'initiate-layer-upload': async () => ({ uploadId: 'upload' }),
    'upload-layer-part': async (options) => {
      part = await readFile(option(options, '--layer-part-blob').replace('fileb://', ''), 'utf8');
      assert.equal(Number(option(options, '--part-last-byte')), Buffer.byteLength(part) - 1);
      return {};
    },
    'complete-layer-upload': async (options) => {
      assert.equal(option(options, '--layer-digests'), sha(part));
      layers.set(sha(part), part);
      return {};
    },
    'put-image': async (options) => {
      tags.set(option(options, '--image-tag'), await readFile(option(options, '--image-manifest').replace('file://', ''), 'utf8'));
      return {};
    },
  };
  return { layers, tags, operations, ecr: (operation, ...options) => operations[operation](options) };
}

async function folder(t) {
  const made = await mkdtemp(path.join(tmpdir(), 'sbom-test-'));
  t.after(() => rm(made, { recursive: true }));
  return made;
}

const bill = { bomFormat: 'CycloneDX', metadata: {}, components: [{ name: 'expréss' }] };

describe('the bill of materials', () => {
  it('says which commit it is of and what the image is built on', () => {
    assert.deepEqual(complete(bill, { commit: 'c0ffee', base: 'node:24' }).metadata.properties, [
      { name: 'org.opencontainers.image.revision', value: 'c0ffee' },
      { name: 'org.opencontainers.image.base.name', value: 'node:24' },
    ]);
  });

  it('is an artifact that refers to the image, under the tag of its commit', async (t) => {
    const { ecr, tags, layers } = registry();
    const said = await keep(ecr, { folder: await folder(t), digest: sha(image), commit: 'c0ffee', list: async () => bill });
    assert.match(said, /with 1 packages, is kept with the image as sbom-c0ffee \(sha256:/);
    const manifest = JSON.parse(tags.get('sbom-c0ffee'));
    assert.deepEqual(manifest.subject, {
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      digest: sha(image),
      size: image.length,
    });
    assert.equal(manifest.artifactType, 'application/vnd.cyclonedx+json');
    assert.equal(layers.get(manifest.config.digest), '{}');
    assert.deepEqual(JSON.parse(layers.get(manifest.layers[0].digest)), bill);
    assert.equal(manifest.layers[0].size, Buffer.byteLength(layers.get(manifest.layers[0].digest)));
  });

  it('is kept once for a commit', async (t) => {
    const { ecr, operations } = registry();
    const release = { folder: await folder(t), digest: sha(image), commit: 'c0ffee', list: async () => bill };
    await keep(ecr, release);
    operations['put-image'] = async () => assert.fail('it was pushed twice');
    assert.match(await keep(ecr, release), /was kept before, as sbom-c0ffee/);
  });

  it('pushes no layer again', async (t) => {
    const { ecr, operations } = registry();
    const made = await folder(t);
    await keep(ecr, { folder: made, digest: sha(image), commit: 'c1', list: async () => bill });
    operations['initiate-layer-upload'] = async () => assert.fail('a layer was pushed twice');
    await keep(ecr, { folder: made, digest: sha(image), commit: 'c2', list: async () => bill });
  });

  it('fails when the registry does not have the image, or does not answer', async (t) => {
    const { ecr, operations, tags } = registry();
    const made = await folder(t);
    const other = { folder: made, digest: sha('another'), commit: 'c0ffee', list: async () => bill };
    await assert.rejects(keep(ecr, other), /does not give the manifest/);
    operations['describe-images'] = async () => {
      throw new Error('AccessDeniedException');
    };
    await assert.rejects(keep(ecr, { ...other, digest: sha(image) }), /AccessDenied/);
    assert.equal(tags.size, 0);
  });
});
