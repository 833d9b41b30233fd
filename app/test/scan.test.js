import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { finished, judge, readExceptions } from '../build/scan.js';

const today = '2026-06-15';

const finding = (name, severity, attributes = []) => ({ name, severity, uri: `https://example.com/${name}`, attributes });

/** A finished scan of the findings, whose counts are those of the findings and of more that the list leaves out. */
function scan(findings, more = {}) {
  const counts = { ...more };
  for (const { severity } of findings) {
    counts[severity] = (counts[severity] ?? 0) + 1;
  }
  return { imageScanStatus: { status: 'COMPLETE' }, imageScanFindings: { findings, findingSeverityCounts: counts } };
}

const verdict = (found, failOn, exceptions = '') => judge(found, { failOn, exceptions: readExceptions(exceptions), today });

describe('the gate behind the image scan', () => {
  it('lets an image pass that has no finding', () => {
    assert.deepEqual(verdict(scan([]), 'LOW'), { passed: true, lines: ['The scan found nothing.'] });
    assert.equal(verdict({ imageScanStatus: { status: 'COMPLETE' } }, 'LOW').passed, true);
  });

  it('stops at the severity that is asked for and at worse ones, and at no lesser one', () => {
    for (const [severity, stopped] of [
      ['CRITICAL', ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW']],
      ['HIGH', ['HIGH', 'MEDIUM', 'LOW']],
      ['MEDIUM', ['MEDIUM', 'LOW']],
      ['LOW', ['LOW']],
      ['INFORMATIONAL', []],
      ['UNDEFINED', []],
    ]) {
      for (const failOn of ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW']) {
        assert.equal(verdict(scan([finding('CVE-1', severity)]), failOn).passed, !stopped.includes(failOn), `${severity} with ${failOn}`);
      }
    }
  });

  it('shows the counts and the severest findings with their packages', () => {
    const many = Array.from({ length: 12 }, (_, i) => finding(`CVE-2026-${100 + i}`, 'HIGH'));
    const worst = finding('CVE-2026-1', 'CRITICAL', [
      { key: 'package_version', value: '3.0.1-1' },
      { key: 'package_name', value: 'openssl' },
    ]);
    const { passed, lines } = verdict(scan([...many, worst, finding('CVE-2026-2', 'LOW')]), 'HIGH');
    assert.equal(passed, false);
    assert.equal(lines[0], 'The scan found 1 CRITICAL, 12 HIGH, 1 LOW.');
    assert.equal(lines[1], '13 of them stop the delivery, which fails on HIGH and worse:');
    assert.equal(lines[2], '  CRITICAL CVE-2026-1 in openssl 3.0.1-1 (https://example.com/CVE-2026-1)');
    assert.equal(lines.filter((line) => line.startsWith('  HIGH CVE-2026-')).length, 9);
    assert.ok(lines.includes('  and 3 more'));
    assert.match(lines.at(-1), /penguinshop:scan\.exceptions/);
  });

  it('lets an excepted finding pass up to its last day, and says so', () => {
    const found = scan([finding('CVE-2026-1', 'HIGH')]);
    const excepted = verdict(found, 'HIGH', 'CVE-2026-1:2026-06-15');
    assert.equal(excepted.passed, true);
    assert.ok(excepted.lines.includes('  HIGH CVE-2026-1 is excepted until 2026-06-15'));
    const ended = verdict(found, 'HIGH', 'CVE-2026-1:2026-06-14');
    assert.equal(ended.passed, false);
    assert.ok(ended.lines.includes('  The exception for CVE-2026-1 ended on 2026-06-14.'));
    assert.equal(verdict(found, 'HIGH', 'CVE-2026-2:2026-12-31').passed, false, 'an exception is for one finding');
  });

  it('says which exception is not needed any more', () => {
    const { lines } = verdict(scan([]), 'HIGH', 'CVE-2026-1:2026-12-31');
    assert.ok(lines.includes('  The exception for CVE-2026-1 is not needed: the scan does not find it.'));
  });

  it('counts findings that the list leaves out', () => {
    const { passed, lines } = verdict(scan([finding('CVE-2026-1', 'HIGH')], { CRITICAL: 2 }), 'HIGH', 'CVE-2026-1:2026-12-31');
    assert.equal(passed, false);
    assert.ok(lines.includes('  and 2 more'));
  });
});

describe('waiting for the scan', () => {
  const states = (...answers) => {
    let pauses = 0;
    return [
      async () => {
        const answer = answers[Math.min(pauses, answers.length - 1)];
        if (answer instanceof Error) {
          throw answer;
        }
        return { imageScanStatus: { status: answer, description: 'as ECR says' } };
      },
      async () => {
        pauses += 1;
      },
      () => pauses,
    ];
  };

  it('asks again while the scan has not begun or is not over', async () => {
    const [ask, pause, pauses] = states(new Error('An error occurred (ScanNotFoundException)'), 'PENDING', 'IN_PROGRESS', 'COMPLETE');
    assert.equal((await finished(ask, pause)).imageScanStatus.status, 'COMPLETE');
    assert.equal(pauses(), 3);
  });

  it('fails at once when the image cannot be scanned or nobody may ask', async () => {
    for (const [answer, words] of [
      ['FAILED', /could not scan the image: FAILED, as ECR says/],
      ['UNSUPPORTED_IMAGE', /UNSUPPORTED_IMAGE/],
      [new Error('An error occurred (AccessDeniedException)'), /AccessDenied/],
    ]) {
      const [ask, pause, pauses] = states(answer);
      await assert.rejects(finished(ask, pause), words);
      assert.equal(pauses(), 0);
    }
  });

  it('gives up after ten minutes', async () => {
    const [ask, pause, pauses] = states('IN_PROGRESS');
    await assert.rejects(finished(ask, pause), /not over after ten minutes \(IN_PROGRESS\)/);
    assert.equal(pauses(), 120);
  });
});
