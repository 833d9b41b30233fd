import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The most that a command may answer: a scan's findings are megabytes. */
const maxBuffer = 64 * 1024 * 1024;

/**
 * How a build calls ECR about its own repository: a function of an operation's name and its options, by the AWS command that
 * CodeBuild's image has. It fails with the command's own words.
 */
export function createECR({ AWS_REGION, REPOSITORY_URI }) {
  const repository = REPOSITORY_URI.slice(REPOSITORY_URI.indexOf('/') + 1);
  return async (operation, ...options) => {
    const { stdout } = await run(
      'aws',
      ['ecr', operation, '--region', AWS_REGION, '--repository-name', repository, ...options, '--output', 'json'],
      { maxBuffer },
    );
    return JSON.parse(stdout);
  };
}
