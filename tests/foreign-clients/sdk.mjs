// Reads a stream of the conformance server with an official SDK, by its name. The SDK sends its own requests; only their
// address and body are exchanged for a script, whose events are those of the API that the SDK is made for.
import { serve } from './talk.mjs';

const WORDS = ['Hello', ', w\u00f6rld \u{1f980}'];
const ended = { close: true };
const send = (payload, event) => ({ send: { ...(event && { event }), data: typeof payload === 'string' ? payload : JSON.stringify(payload) } });
// In the midst of every answer: a comment, and a silence with keep-alives.
const within = (first, second) => [first, { comment: 'ping' }, { sleep: 500 }, second];

// Answers a request of an SDK with these steps. `/fetch` reads `Accept` as an ordinary route does; a route for models
// takes any.
const post = (server, steps) => (_url, init) => {
  const headers = new Headers(init.headers);
  headers.set('accept', 'text/event-stream');
  headers.set('content-type', 'application/json');
  return fetch(`${server}/fetch`, { method: 'POST', headers, body: JSON.stringify(steps), signal: init.signal });
};
const get = (server, steps) => (_url, init) => fetch(`${server}/script?steps=${encodeURIComponent(JSON.stringify(steps))}`, init);

const clients = {
  async openai(server, tell) {
    const { default: OpenAI } = await import('openai');
    const chunk = (content) => send({ id: '1', object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content } }] });
    const steps = [...within(...WORDS.map(chunk)), send('[DONE]'), ended];
    const client = new OpenAI({ apiKey: 'none', baseURL: server, maxRetries: 0, fetch: post(server, steps) });
    const answer = await client.chat.completions.create({ model: 'm', stream: true, messages: [{ role: 'user', content: 'x' }] });
    for await (const { choices } of answer) tell('message', choices[0].delta.content);
  },

  async '@anthropic-ai/sdk'(server, tell) {
    const { default: Anthropic } = await import('@anthropic-ai/sdk');
    const event = (type, fields) => send({ type, ...fields }, type);
    const message = { id: '1', type: 'message', role: 'assistant', content: [], model: 'm', usage: { input_tokens: 1, output_tokens: 1 } };
    const delta = (text) => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } });
    const steps = [
      event('message_start', { message }),
      event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
      ...within(...WORDS.map(delta)),
      event('content_block_stop', { index: 0 }),
      event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 2 } }),
      event('message_stop', {}),
      ended,
    ];
    const client = new Anthropic({ apiKey: 'none', baseURL: server, maxRetries: 0, fetch: post(server, steps) });
    const answer = client.messages.stream({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'x' }] });
    answer.on('text', (text) => tell('message', text));
    const whole = await answer.finalMessage();
    if (whole.content[0].text !== WORDS.join('')) tell('message', `at last ${whole.content[0].text}`);
  },

  // The answer to a message by POST, then the resumption of the same by a GET that accepts anything.
  async ai(server, tell) {
    const { DefaultChatTransport } = await import('ai');
    const steps = (end) => [
      send({ type: 'start' }), send({ type: 'text-start', id: '1' }),
      ...within(...WORDS.map((delta) => send({ type: 'text-delta', id: '1', delta }))),
      send({ type: 'text-end', id: '1' }), send({ type: 'finish' }), send('[DONE]'), end,
    ];
    const read = async (stream) => {
      for await (const chunk of stream) {
        if (chunk.type === 'text-delta') tell('message', chunk.delta);
        if (chunk.type === 'error') tell('error', chunk.errorText);
      }
    };
    const chat = { chatId: '1', messages: [], abortSignal: undefined, trigger: 'submit-message', messageId: undefined };
    await read(await new DefaultChatTransport({ api: server, fetch: post(server, steps(ended)) }).sendMessages(chat));
    const resumed = [{ checkpoint: '1' }, ...steps({ finish: true })];
    await read(await new DefaultChatTransport({ api: server, fetch: get(server, resumed) }).reconnectToStream(chat));
  },

  // The answer to a call by POST, then a notification over the stream that its GET opens.
  async '@modelcontextprotocol/sdk'(server, tell) {
    const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
    const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js');
    const log = (data) => ({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } });
    const client = new Client({ name: 'client', version: '1' });
    client.onerror = (error) => tell('error', String(error));
    let seen, opened = false;
    const all = new Promise((done) => { seen = done; });
    client.fallbackNotificationHandler = ({ params: { data } }) => { tell('message', data); if (data === 'by GET') seen(); };
    const answer = (url, init) => {
      if (init.method !== 'POST') {
        // The stream is opened once; later requests would be for what comes next.
        if (opened) return new Response(null, { status: 405 });
        opened = true;
        return get(server, [{ checkpoint: '1' }, send(log('by GET'), 'message'), { sleep: 500 }, { close: true }])(url, init);
      }
      const { id, method, params } = JSON.parse(init.body);
      if (method !== 'initialize') return new Response(null, { status: 202 });
      const result = { protocolVersion: params.protocolVersion, capabilities: {}, serverInfo: { name: 'server', version: '1' } };
      return post(server, [...within(...WORDS.map((word) => send(log(word)))), send({ jsonrpc: '2.0', id, result }), ended])(url, init);
    };
    await client.connect(new StreamableHTTPClientTransport(new URL(server), { fetch: answer }));
    await all;
    await client.close();
  },
};

const client = clients[process.argv[2]];
serve(({ url }, tell) => client(url, tell).catch((error) => tell('error', String(error))));
