/*
 * Stops a build whose image has findings that the pipeline does not accept. The buildspec runs it after the push, with
 * SCAN_FAIL_ON (the least severity that stops a delivery, or none) and SCAN_EXCEPTIONS (id:last-day, by commas). ECR's own
 * scan, which the push has started, is the judge of the image; this waits for it and judges the findings.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { createECR } from './ecr.js';

/** The severities that a delivery can fail on, the worst first. ECR also knows lesser ones, which are counted and shown. */
export const severities = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'];

/** How many findings are shown one by one. */
const most = 10;

/** "CVE-2026-1:2026-12-31,CVE-2026-2:2027-01-31" as a map from id to the last day on which it is excepted. */
export function readExceptions(text) {
  return new Map(
    text
      .split(',')
      .filter((entry) => entry !== '')
      .map((entry) => {
        const at = entry.lastIndexOf(':');
        return [entry.slice(0, at), entry.slice(at + 1)];
      }),
  );
}

const rank = (severity) => (severities.indexOf(severity) + severities.length + 1) % (severities.length + 1);

const attribute = (finding, key) => finding.attributes?.find((a) => a.key === key)?.value ?? '';

function line(finding) {
  const where = [attribute(finding, 'package_name'), attribute(finding, 'package_version')].join(' ').trim();
  return `  ${finding.severity} ${finding.name}${where && ` in ${where}`}${finding.uri ? ` (${finding.uri})` : ''}`;
}

/**
 * Judges a finished scan: whether the delivery may go on, and the lines that say so. The counts are ECR's own, so that a
 * finding that the list leaves out still counts. today is a day as 2026-12-31.
 */
export function judge(scan, { failOn, exceptions, today }) {
  const counts = scan.imageScanFindings?.findingSeverityCounts ?? {};
  const findings = scan.imageScanFindings?.findings ?? [];
  const stops = ({ severity }) => severities.indexOf(severity) >= 0 && severities.indexOf(severity) <= severities.indexOf(failOn);
  const excepted = findings.filter((f) => stops(f) && exceptions.get(f.name) >= today);
  const open = findings.filter((f) => stops(f) && !excepted.includes(f)).sort((a, b) => rank(a.severity) - rank(b.severity));
  const stopping =
    Object.entries(counts).reduce((sum, [severity, count]) => sum + (stops({ severity }) ? count : 0), 0) - excepted.length;

  const summary = Object.entries(counts)
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([severity, count]) => `${count} ${severity}`)
    .join(', ');
  const lines = [`The scan found ${summary || 'nothing'}.`];
  for (const finding of excepted) {
    lines.push(`  ${finding.severity} ${finding.name} is excepted until ${exceptions.get(finding.name)}`);
  }
  for (const [id, until] of exceptions) {
    if (until < today) {
      lines.push(`  The exception for ${id} ended on ${until}.`);
    } else if (!findings.some((f) => f.name === id)) {
      lines.push(`  The exception for ${id} is not needed: the scan does not find it.`);
    }
  }
  if (stopping <= 0) {
    return { passed: true, lines };
  }
  lines.push(`${stopping} of them stop the delivery, which fails on ${failOn} and worse:`, ...open.slice(0, most).map(line));
  if (stopping > Math.min(open.length, most)) {
    lines.push(`  and ${stopping - Math.min(open.length, most)} more`);
  }
  lines.push(
    'Build on a newer base image or package. What cannot be fixed now is excepted in penguinshop:scan.exceptions, with a reason and a last day.',
  );
  return { passed: false, lines };
}

/** States of a scan that is not over. A scan that the push has just started may not be there yet. */
const pending = ['PENDING', 'IN_PROGRESS'];

/**
 * Asks until the scan is over, every five seconds for ten minutes, and returns it. ask fails with the AWS command's words.
 */
export async function finished(ask, pause = () => sleep(5_000)) {
  let state = '';
  for (let attempt = 0; attempt < 120; attempt += 1) {
    try {
      const scan = await ask();
      state = scan.imageScanStatus.status;
      if (state === 'COMPLETE') {
        return scan;
      }
      if (!pending.includes(state)) {
        throw new Error(`ECR could not scan the image: ${state}, ${scan.imageScanStatus.description ?? 'without a reason'}`);
      }
    } catch (error) {
      if (!error.message.includes('ScanNotFoundException')) {
        throw error;
      }
      state = 'no scan yet: does the repository scan on push?';
    }
    await pause();
  }
  throw new Error(`ECR's scan is not over after ten minutes (${state})`);
}

async function main({ IMAGE_DIGEST, SCAN_FAIL_ON, SCAN_EXCEPTIONS = '', ...environment }) {
  if (SCAN_FAIL_ON === 'none') {
    console.log('No finding of an image scan stops a delivery (penguinshop:scan.failOn is none).');
    return true;
  }
  const ecr = createECR(environment);
  const scan = await finished(() =>
    ecr('describe-image-scan-findings', '--image-id', `imageDigest=${IMAGE_DIGEST}`, '--max-results', '1000'),
  );
  const today = new Date().toISOString().slice(0, 10);
  const { passed, lines } = judge(scan, { failOn: SCAN_FAIL_ON, exceptions: readExceptions(SCAN_EXCEPTIONS), today });
  console.log(lines.join('\n'));
  return passed;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = (await main(process.env)) ? 0 : 1;
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
