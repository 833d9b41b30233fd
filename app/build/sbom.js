/*
 * Keeps the list of what the app is made of (a CycloneDX bill of materials of its npm dependencies) with the image: in the
 * same repository, as an OCI artifact that refers to the image's digest, under the tag sbom-<commit>. The buildspec runs it
 * after the push. It pushes by ECR's own operations, so that the build needs no further tool. What the base image contains is
 * not in the list: the base is named, and ECR's scan looks into it.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { createECR } from './ecr.js';

const manifestTypes = ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json'];
const listType = 'application/vnd.cyclonedx+json';
const emptyType = 'application/vnd.oci.empty.v1+json';

const digestOf = (content) => `sha256:${createHash('sha256').update(content).digest('hex')}`;

const descriptor = (mediaType, content) => ({ mediaType, digest: digestOf(content), size: Buffer.byteLength(content) });

/** Adds to npm's list which commit it is of, and what the image is built on. */
export function complete(list, { commit, base }) {
  const properties = [
    ...(list.metadata.properties ?? []),
    { name: 'org.opencontainers.image.revision', value: commit },
    { name: 'org.opencontainers.image.base.name', value: base },
  ];
  return { ...list, metadata: { ...list.metadata, properties } };
}

/**
 * Attaches a text to the image of a digest under a tag, and returns the artifact's digest. ecr is createECR's; files are
 * handed to it in folder.
 */
export async function attach(ecr, { folder, digest, tag, text }) {
  const { images = [] } = await ecr(
    'batch-get-image', '--image-ids', `imageDigest=${digest}`, '--accepted-media-types', ...manifestTypes,
  );
  const image = images[0]?.imageManifest;
  if (image === undefined || digestOf(image) !== digest) {
    throw new Error(`The registry does not give the manifest of ${digest}`);
  }
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestTypes[0],
    artifactType: listType,
    config: descriptor(emptyType, '{}'),
    layers: [descriptor(listType, text)],
    subject: descriptor(JSON.parse(image).mediaType ?? manifestTypes[0], image),
  });
  for (const content of ['{}', text]) {
    await upload(ecr, folder, content);
  }
  const file = path.join(folder, 'manifest.json');
  await writeFile(file, manifest);
  await ecr('put-image', '--image-tag', tag, '--image-manifest', `file://${file}`);
  return digestOf(manifest);
}

/** Pushes a layer that is not there yet, in one part: ECR takes parts of up to 20 MiB. */
async function upload(ecr, folder, content) {
  const digest = digestOf(content);
  const { layers } = await ecr('batch-check-layer-availability', '--layer-digests', digest);
  if (layers[0]?.layerAvailability === 'AVAILABLE') {
    return;
  }
  const { uploadId } = await ecr('initiate-layer-upload');
  const file = path.join(folder, 'layer');
  await writeFile(file, content);
  const last = String(Buffer.byteLength(content) - 1);
  await ecr(
    'upload-layer-part', '--upload-id', uploadId, '--part-first-byte', '0', '--part-last-byte', last, '--layer-part-blob', `fileb://${file}`,
  );
  await ecr('complete-layer-upload', '--upload-id', uploadId, '--layer-digests', digest);
}

/** Whether a tag is there; only that it is not is an answer, every other failure is one. */
async function tagged(ecr, tag) {
  try {
    await ecr('describe-images', '--image-ids', `imageTag=${tag}`);
    return true;
  } catch (error) {
    if (error.message.includes('ImageNotFoundException')) {
      return false;
    }
    throw error;
  }
}

/** Attaches the list of an image's commit unless an earlier build of that commit has done so: tags are immutable. */
export async function keep(ecr, { folder, digest, commit, list }) {
  const tag = `sbom-${commit}`;
  if (await tagged(ecr, tag)) {
    return `The bill of materials was kept before, as ${tag}.`;
  }
  const bill = await list();
  const kept = await attach(ecr, { folder, digest, tag, text: `${JSON.stringify(bill, null, 2)}\n` });
  return `The bill of materials, with ${bill.components.length} packages, is kept with the image as ${tag} (${kept}).`;
}

async function main({ COMMIT, BASE_IMAGE, IMAGE_DIGEST, ...environment }) {
  const npm = ['sbom', '--package-lock-only', '--omit=dev', '--sbom-format=cyclonedx', '--sbom-type=application'];
  const list = async () => {
    const { stdout } = await promisify(execFile)('npm', npm, { maxBuffer: 64 * 1024 * 1024 });
    return complete(JSON.parse(stdout), { commit: COMMIT, base: BASE_IMAGE });
  };
  const folder = await mkdtemp(path.join(tmpdir(), 'sbom-'));
  try {
    console.log(await keep(createECR(environment), { folder, digest: IMAGE_DIGEST, commit: COMMIT, list }));
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(process.env).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
