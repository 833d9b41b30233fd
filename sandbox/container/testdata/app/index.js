// A program for the engines' tests: it tells what it sees, and misbehaves when it is asked to.
const fs = require('node:fs');
const http = require('node:http');
const greeting = require('greeting');

function attempt(path) {
  try {
    fs.writeFileSync(path, 'x');
    return 'written';
  } catch (error) {
    return error.code;
  }
}

const answers = {
  '/': () => greeting,
  '/env': () => JSON.stringify(process.env),
  '/uid': () => String(process.getuid()),
  '/write-root': () => attempt(`${process.cwd()}/written`),
  '/write-tmp': () => attempt(process.cwd() === '/app' ? '/app/tmp/written' : `${process.cwd()}/tmp/written`),
  '/exit': () => setTimeout(() => process.exit(3), 10) && 'exiting',
  '/leak': () => {
    const kept = [];
    setInterval(() => kept.push(Buffer.alloc(16 << 20, 1)), 10);
    return 'leaking';
  },
  '/fetch': async (query) => (await fetch(query.get('url'))).text(),
};

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, 'http://subject');
  const answer = answers[url.pathname];
  response.statusCode = answer ? 200 : 404;
  response.end(answer ? await answer(url.searchParams) : '');
});
server.listen(process.env.PORT ?? 8080, process.env.HOST ?? '0.0.0.0', () => console.log('listening'));

process.on('SIGTERM', () => {
  console.error('told to stop');
  if (!process.env.STUBBORN) process.exit(0);
});
