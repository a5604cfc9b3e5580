// The conformance routes with better-sse on Express, each call as in the documentation of better-sse.
// npm install && node server.mjs
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSession } from 'better-sse';
import express from 'express';

let keepAlive = 15000;
for (let args = process.argv.slice(2); args.length; args = args.slice(2)) {
  if (args[0] === '--keep-alive-ms') keepAlive = Number(args[1]);
  else { console.error('not offered'); process.exit(2); }
}
const groups = ['basics', 'head', 'framing', 'injection', 'lifecycle', 'keep-alive', 'disconnect', 'http-1.0', 'http-1.1', 'pipelining'];
const streams = new Map();
const app = express();

async function open(request, response, text) {
  let steps;
  try { steps = JSON.parse(text); } catch { return response.status(400).json({ error: 'no steps' }); }
  const id = randomUUID();
  const state = { active: true, reason: null };
  const end = (reason) => { if (state.active) Object.assign(state, { active: false, reason }); };
  streams.set(id, { state, close: () => { end('closed'); response.end(); } });
  // The default serializer is JSON, and the steps hold text.
  const session = await createSession(request, response, { keepAlive: keepAlive || null, serializer: String, headers: { 'x-stream-id': id } });
  session.once('disconnected', () => end('gone'));
  if (request.query.welcome === '1') await session.batch((buffer) => buffer.event('welcome').data(JSON.stringify({ uuid: id })).dispatch());
  for (const step of steps) {
    if (!state.active) break;
    const [[name, value]] = Object.entries(step);
    if (name === 'send') {
      await session.batch((buffer) => {
        if (value.comment != null) buffer.comment(value.comment);
        if (value.event != null) buffer.event(value.event);
        if (value.id != null) buffer.id(value.id);
        if (value.retry != null) buffer.retry(value.retry);
        if (value.data != null) buffer.data(value.data);
        buffer.dispatch();
      });
    }
    if (name === 'json') await session.batch((buffer) => buffer.event(value.event ?? 'message').data(JSON.stringify(value.payload)).dispatch());
    if (name === 'comment') await session.batch((buffer) => buffer.comment(value).dispatch());
    if (name === 'checkpoint') await session.batch((buffer) => buffer.id(value).dispatch());
    if (name === 'sleep') await sleep(value);
    if (name === 'close' || name === 'finish') { end(name === 'finish' && request.method === 'GET' ? 'finished' : 'closed'); response.end(); }
  }
}

app.get('/about', (_, response) => response.json({ name: 'better-sse 0.16.1', groups, keep_alive_ms: keepAlive }));
app.get('/script', (request, response) => open(request, response, request.query.steps));
app.all('/fetch', express.text({ type: () => true, limit: '8mb' }), (request, response) => open(request, response, request.method === 'POST' ? request.body : request.query.steps));
app.get('/streams/:id', (request, response) => {
  const stream = streams.get(request.params.id);
  stream ? response.json(stream.state) : response.sendStatus(404);
});
app.post('/streams/:id/close', (request, response) => {
  const stream = streams.get(request.params.id);
  if (stream) stream.close();
  response.sendStatus(stream ? 204 : 404);
});
const server = app.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
