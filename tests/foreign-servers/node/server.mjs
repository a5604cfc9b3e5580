// The conformance routes in plain Node, without a package: a template for a server in any language.
// It offers streams, not topics; /about says so, and the kit leaves the rest out of scope.
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

let keepAlive = 15000;
for (let args = process.argv.slice(2); args.length; args = args.slice(2)) {
  if (args[0] === '--keep-alive-ms') keepAlive = Number(args[1]);
  else { console.error('not offered'); process.exit(2); }
}
const GROUPS = ['basics', 'head', 'eligibility', 'framing', 'injection', 'lifecycle', 'keep-alive', 'disconnect',
  'http-1.0', 'http-1.1', 'pipelining', 'slow-readers', 'head-method'];
const streams = new Map();

// One encoder writes every byte. CRLF, CR and LF are one break each.
const lines = (name, text) => text.split(/\r\n|\r|\n/).map((line) => line ? `${name}: ${line}\n` : `${name}:\n`).join('');
const badId = (id) => /[\u0000-\u001f\u007f-\u009f]|^ | $/.test(id) || Buffer.byteLength(id) > 128;
const RESERVED = ['sse-position', 'sse-open', 'sse-end', 'sse-later'];
// An EventSource fires these itself.
const PAGE = ['error', 'open'];
function encode({ id, event, data, retry, comment }, isGet = true) {
  if (id !== undefined && badId(id)) return { refused: 'id' };
  if (event !== undefined && (/[\r\n]/.test(event) || RESERVED.includes(event) || isGet && PAGE.includes(event))) return { refused: 'event' };
  if (retry !== undefined && retry > 2147483647) return { refused: 'retry' };
  let fields = '';
  if (id !== undefined) fields += lines('id', id);
  if (event) fields += lines('event', event);
  if (retry !== undefined) fields += `retry: ${retry}\n`;
  if (data !== undefined) fields += lines('data', data);
  const size = [id, event, comment, data].reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), 0);
  if (size > 1048576) return { refused: 'data' };
  return { text: (comment === undefined ? '' : lines('', comment)) + fields + (fields && '\n') };
}

// `Accept` by media range and q-value; what is more specific counts more. No header accepts all.
function accepts(header, named) {
  if (!header?.trim()) return !named;
  let best = -1, quality = 0;
  for (const range of header.split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const specific = ['*/*', 'text/*', 'text/event-stream'].indexOf(type);
    if (specific < (named ? 1 : 0)) { if (/^[^/\s]+\/[^/\s]+$/.test(type)) best = Math.max(best, -0.5); continue; }
    const q = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2).trim();
    const value = q === undefined || !/^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(q) ? 1 : Number(q);
    if (specific > best || (specific === best && value > quality)) [best, quality] = [specific, value];
  }
  return best === -1 ? !named : quality > 0;
}

const HEAD = { 'content-type': 'text/event-stream', 'cache-control': 'no-store, no-transform', 'x-accel-buffering': 'no' };
function head(response, more = {}) {
  response.removeHeader('connection'); // Node would write it, and `keep-alive`
  return response.writeHead(200, { ...HEAD, ...more });
}

function plain(response, status, body = '', headers = {}) {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
const json = (response, status, value) => plain(response, status, JSON.stringify(value), { 'content-type': 'application/json' });

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
}

const only = (step, key, is) => Object.keys(step).length === 1 && key in step && is(step[key]);
const isText = (value) => value === undefined || value === null || typeof value === 'string';
const isFields = (fields) => fields && typeof fields === 'object' && !Array.isArray(fields)
  && Object.keys(fields).every((key) => ['id', 'event', 'data', 'retry', 'comment'].includes(key))
  && isText(fields.id) && isText(fields.event) && isText(fields.data) && isText(fields.comment)
  && (fields.retry === undefined || (Number.isInteger(fields.retry) && fields.retry >= 0));
const isStep = (step) => step && typeof step === 'object' && (['open', 'close', 'finish', 'fail'].some((key) => only(step, key, (is) => typeof is === 'boolean'))
  || ['comment', 'checkpoint'].some((key) => only(step, key, (text) => typeof text === 'string'))
  || only(step, 'sleep', (ms) => Number.isInteger(ms) && ms >= 0) || only(step, 'send', isFields)
  || only(step, 'json', (event) => event && 'payload' in event && isText(event.event)));

// How a stream sends positions and its end: as events with data if the client names the type, because most clients keep
// no ID of a block without data; without data on another GET; not at all over POST.
const EVENTS = {
  open: ':\nevent: sse-open\n\n',
  position: (id) => `event: sse-position\n${lines('id', id)}data: {}\n\n`,
  end: 'event: sse-end\nid: end\ndata: {}\n\n',
};
const BLOCKS = { open: ':\n', position: (id) => `${lines('id', id)}\n`, end: 'id: end\n\n' };
const NONE = { open: ':\n' };

class Stream {
  id = randomUUID();
  reason = null;
  constructor(response, control) {
    this.response = response;
    this.control = control;
    streams.set(this.id, this);
    head(response, { 'x-stream-id': this.id });
    response.on('close', () => this.end('gone'));
    this.write(control.open);
  }
  write(text) {
    clearInterval(this.timer);
    if (keepAlive) this.timer = setInterval(() => this.response.write(':\n'), keepAlive);
    return this.response.write(text);
  }
  async send(event) {
    if (this.reason) return;
    const { refused, text } = encode(event, this.control !== NONE);
    if (refused) return this.send({ event: 'refused', data: refused });
    if (!this.write(text)) await Promise.race([new Promise((drained) => this.response.once('drain', drained)), this.closed]);
  }
  closed = new Promise((resolve) => { this.resolve = resolve; });
  end(reason) {
    if (this.reason) return;
    this.reason = reason;
    clearInterval(this.timer);
    // A failed answer to a POST must not look whole: what was written leaves, the last chunk does not.
    if (reason === 'failed' && this.control === NONE) setTimeout(() => this.response.destroy(), 50);
    else this.response.end();
    this.resolve();
    setTimeout(() => streams.delete(this.id), 60000).unref();
  }
  async run(steps) {
    for (const step of steps) {
      if (this.reason) return;
      const [[name, value]] = Object.entries(step);
      if (name === 'send') await this.send(Object.fromEntries(Object.entries(value).filter(([, text]) => text !== null)));
      if (name === 'json') await this.send({ event: value.event ?? undefined, data: JSON.stringify(value.payload) });
      if (name === 'comment') await this.send({ comment: value });
      if (name === 'checkpoint') {
        if (encode({ id: value }).refused) await this.send({ event: 'refused', data: 'id' });
        else if (this.control.position) this.write(this.control.position(value));
      }
      if (name === 'sleep') await Promise.race([sleep(value), this.closed]);
      if (name === 'close' && value) this.end('closed');
      if (name === 'fail' && value && !this.reason) {
        if (this.control !== NONE) this.write(`retry: ${10000 + Math.floor(Math.random() * 20001)}\n\n`);
        this.end('failed');
      }
      if (name === 'finish' && value && !this.reason) {
        if (this.control.end) this.write(this.control.end);
        this.end(this.control.end ? 'finished' : 'closed');
      }
    }
  }
}

async function open(request, response, url, methods) {
  if (![...methods, 'HEAD'].includes(request.method)) return plain(response, 405, '', { allow: [...methods, 'HEAD'].join(', ') });
  if (!accepts(request.headers.accept, false)) return plain(response, 406);
  const isGet = request.method !== 'POST';
  const lastEventId = request.headers['last-event-id'] || url.searchParams.get('lastEventId');
  if (isGet && lastEventId === 'end') return plain(response, 204);
  if (request.method === 'HEAD') return head(response).end();
  let steps;
  try { steps = JSON.parse(isGet ? url.searchParams.get('steps') : await body(request)); } catch { /* 400 */ }
  if (!Array.isArray(steps) || !steps.every(isStep)) return json(response, 400, { error: 'no steps' });
  const named = accepts(request.headers.accept, true);
  const stream = new Stream(response, isGet ? (named ? EVENTS : BLOCKS) : NONE);
  if (url.searchParams.get('welcome') === '1') stream.send({ event: 'welcome', data: JSON.stringify({ uuid: stream.id }) });
  await stream.run(steps);
}

function optional(request, response) {
  if (!accepts(request.headers.accept, true)) return plain(response, 200, 'not an event stream request', { 'content-type': 'text/plain' });
  if (!['GET', 'HEAD'].includes(request.method)) return plain(response, 405, '', { allow: 'GET, HEAD' });
  if (request.method === 'HEAD') return head(response).end();
  if (request.headers['last-event-id'] === 'end') return plain(response, 204);
  new Stream(response, EVENTS).run([{ send: { event: 'hello', data: 'hello' } }, { finish: true }]);
}

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const [, route, id, action] = url.pathname.split('/');
  if (url.pathname === '/script') return open(request, response, url, ['GET']);
  if (url.pathname === '/fetch') return open(request, response, url, ['GET', 'POST']);
  if (url.pathname === '/optional') return optional(request, response);
  if (url.pathname === '/') return plain(response, 200, '<!doctype html>', { 'content-type': 'text/html' });
  if (url.pathname === '/about') return json(response, 200, { name: `node ${process.version}`, groups: GROUPS, keep_alive_ms: keepAlive });
  if (url.pathname === '/stats') return json(response, 200, { ends: Object.fromEntries(['finished'].map((reason) =>
    [reason, [...streams.values()].filter((stream) => stream.reason === reason).length])) });
  const stream = route === 'streams' ? streams.get(id) : undefined;
  if (!stream) return plain(response, 404);
  if (action === 'close') { stream.end('closed'); return plain(response, 204); }
  json(response, 200, { active: !stream.reason, reason: stream.reason });
});
server.keepAliveTimeout = 60000;
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
process.once('SIGTERM', () => process.exit(0));
