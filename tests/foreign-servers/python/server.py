#!/usr/bin/env python3
"""The conformance routes in Python, by its standard library alone: a second server beside those of this workspace, which
writes the same events in other bytes. `FAULT=NAME` puts a deliberate fault into it; `--faults` lists them."""
import asyncio
import gzip
import json
import os
import random
import re
import signal
import socket
import sys
from types import SimpleNamespace

import faults
from events import Decoder, Refused, check, encode
from faults import fault
from hub import Hub, gap, id_of
from streams import STREAM, Stream
from wire import Bad, Connection

GROUPS = ['basics', 'head', 'eligibility', 'framing', 'injection', 'decoding', 'lifecycle', 'keep-alive', 'disconnect',
          'resumption', 'publish', 'retention', 'lag', 'drain', 'limits', 'http-1.0', 'http-1.1', 'pipelining',
          'slow-readers', 'head-method', 'stats']
DEFAULTS = {'listen': '127.0.0.1:0', 'keep-alive-ms': 15000, 'max-lifetime-ms': 0, 'buffer-bytes': 65536,
            'topic-bytes': 4194304, 'topic-events': 0, 'topic-age-ms': 0, 'hub-bytes': 67108864, 'lag': 'end',
            'max-streams': 0, 'drain-window-ms': 0, 'drain-deadline-ms': 10000, 'compress': False}


def options(arguments):
    chosen, rest = dict(DEFAULTS), list(arguments)
    while rest:
        name = rest.pop(0).removeprefix('--')
        if name not in DEFAULTS:
            print('not offered', file=sys.stderr)
            sys.exit(2)
        default = DEFAULTS[name]
        chosen[name] = True if default is False else type(default)(rest.pop(0))
    return SimpleNamespace(**{name.replace('-', '_'): value for name, value in chosen.items()})


def accepts(values, named):
    """RFC 9110 12.5.1: the most specific range decides. Without a header everything is accepted."""
    text = ','.join(values)
    if not text.strip():
        return not named
    best, quality = -1, 0
    for part in text.split(','):
        kind, *parameters = [piece.strip().lower() for piece in part.split(';')]
        specific = ['*/*', 'text/*', 'text/event-stream'].index(kind) if kind in ('*/*', 'text/*', 'text/event-stream') else -1
        if specific < (1 if named else 0):
            if re.fullmatch(r'[^/\s]+/[^/\s]+', kind):
                best = max(best, -0.5)
            continue
        q = next((piece[2:].strip() for piece in parameters if piece.startswith('q=')), '1')
        value = float(q) if re.fullmatch(r'0(\.\d{0,3})?|1(\.0{0,3})?', q) else 1.0
        if fault('q-zero-ignored'):
            value = 1.0
        if specific > best or specific == best and value > quality:
            best, quality = specific, value
    return not named if best == -1 else quality > 0


def is_text(value):
    return value is None or isinstance(value, str)


def is_number(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_fields(value, names=('id', 'event', 'data', 'retry', 'comment')):
    return (isinstance(value, dict) and set(value) <= set(names)
            and all(is_text(value.get(name)) for name in ('id', 'event', 'data', 'comment'))
            and (value.get('retry') is None or is_number(value['retry'])))


STEPS = {'open': lambda v: isinstance(v, bool), 'close': lambda v: isinstance(v, bool), 'finish': lambda v: isinstance(v, bool),
         'fail': lambda v: isinstance(v, bool), 'comment': lambda v: isinstance(v, str),
         'checkpoint': lambda v: isinstance(v, str), 'sleep': is_number, 'send': is_fields,
         'json': lambda v: isinstance(v, dict) and set(v) <= {'event', 'payload'} and 'payload' in v and is_text(v.get('event'))}


def steps_of(text):
    """The steps, or None if they are malformed."""
    try:
        steps = json.loads(text if isinstance(text, str) else text.decode())
    except (ValueError, UnicodeDecodeError):
        return None
    if not isinstance(steps, list) or not all(isinstance(step, dict) and len(step) == 1 for step in steps):
        return None
    known = [step for step in steps if all(name in STEPS and STEPS[name](value) for name, value in step.items())]
    return known if len(known) == len(steps) or fault('unknown-steps-skipped') else None


class Server:
    def __init__(self, options):
        self.options, self.hub = options, Hub(options)
        self.streams, self.connections = {}, set()
        self.draining, self.stopped, self.refused_at = False, asyncio.Event(), None

    def open_streams(self):
        if fault('streams-not-released'):
            return len(self.streams)
        return sum(stream.reason is None for stream in self.streams.values())

    async def serve(self, reader, writer):
        writer.get_extra_info('socket').setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        writer.transport.set_write_buffer_limits(high=self.options.buffer_bytes)
        connection = Connection(reader, writer)
        self.connections.add(connection)
        try:
            while True:
                request = await connection.request()
                await self.answer(connection, request)
                if not request.stays:
                    break
        except Bad as bad:
            connection.respond(None, bad.status)
        except (OSError, asyncio.IncompleteReadError):
            pass
        self.connections.discard(connection)
        connection.close()

    async def answer(self, connection, request):
        routes = {'/script': (self.script, ['GET']), '/fetch': (self.script, ['GET', 'POST']), '/topics': (self.follow, ['GET'])}
        if request.path in routes:
            return await self.open(connection, request, *routes[request.path])
        if request.path == '/optional':
            return await self.optional(connection, request)
        body = await connection.body(request)
        status, value, fields = self.plain(request, body)
        if isinstance(value, str):
            body, kind = value.encode(), 'text/html'
        else:
            body, kind = b'' if value is None else json.dumps(value, indent=1).encode(), 'application/json'
        if self.options.compress and 'gzip' in ','.join(request.all('accept-encoding')):
            body, fields = gzip.compress(body), [*fields, ('content-encoding', 'gzip')]
        connection.respond(request, status, body, [('content-type', kind), *fields] if body else fields)

    async def open(self, connection, request, run, methods):
        """The order is 405, 406, HEAD and 204, then the handler."""
        error = [('content-type', 'text/event-stream')] if fault('error-is-a-stream') else []
        if request.method not in [*methods, 'HEAD'] and not fault('any-method'):
            await connection.body(request)
            return connection.respond(request, 405, fields=[('allow', ','.join(reversed([*methods, 'HEAD']))), *error])
        if not accepts(request.all('accept'), False):
            await connection.body(request)
            return connection.respond(request, 406, fields=error)
        if request.method == 'HEAD':
            return self.head_only(connection, request)
        if request.method == 'GET' and self.last_event_id(request) == ['end'] and not fault('end-not-known'):
            return connection.respond(request, 204)
        await run(connection, request)

    def head_only(self, connection, request):
        if fault('head-opens-a-stream'):
            Stream(self, connection, request)
        connection.write_head(200, STREAM, request.stays)
        if fault('head-has-a-body'):
            connection.writer.write(b'5\r\n:\r\n\r\n\r\n0\r\n\r\n')

    def last_event_id(self, request):
        """The different values of the header; if there is none, that of the query."""
        values = sorted({value for value in request.all('last-event-id') if value})
        query = [] if fault('query-id-ignored') or request.method != 'GET' else [v for v in request.query.get('lastEventId', []) if v]
        return values or query[:1]

    def names_the_type(self, request):
        return accepts(request.all('accept'), True)

    def later(self, connection, request):
        """Asks the client to come back, if no stream can be opened now."""
        full = self.options.max_streams and self.open_streams() >= self.options.max_streams
        if not (full or self.draining):
            return False
        if request.method != 'GET':
            connection.respond(request, 503, fields=[('retry-after', '2')])
            return True
        self.refused_at = asyncio.get_running_loop().time()
        body = encode({'retry': self.retry()})
        if self.names_the_type(request):
            body += encode({'event': 'sse-later', 'data': json.dumps({'reason': 'draining' if self.draining else 'full'})})
        connection.respond(request, 200, body, STREAM)
        return True

    async def normal_again(self, stream):
        """Replaces the retry that a client keeps of a soft refusal in the last ten minutes."""
        recent = self.refused_at is not None and asyncio.get_running_loop().time() < self.refused_at + 600
        if recent and stream.request.method == 'GET' and not fault('refusal-kept'):
            await stream.write(encode({'retry': random.randint(2000, 4000)}))

    def retry(self):
        return 2000 if fault('same-retry-for-all') else random.randint(1000, 5000)

    async def script(self, connection, request):
        text = request.first('steps') if request.method == 'GET' else await connection.body(request)
        steps = steps_of(text) if text is not None else None
        if steps is None:
            return connection.respond(request, 400, json.dumps({'error': 'no steps'}).encode())
        if self.later(connection, request):
            return
        stream = Stream(self, connection, request)
        await stream.open()
        await self.normal_again(stream)
        if request.first('welcome') == '1':
            await stream.write(encode({'event': 'welcome', 'data': json.dumps({'uuid': stream.id})}))
        await stream.run(steps)

    async def optional(self, connection, request):
        if not accepts(request.all('accept'), True):
            await connection.body(request)
            return connection.respond(request, 200, b'not an event stream request', [('content-type', 'text/plain')])
        if request.method not in ('GET', 'HEAD'):
            await connection.body(request)
            return connection.respond(request, 405, fields=[('allow', 'GET, HEAD')])
        if request.method == 'HEAD':
            return self.head_only(connection, request)
        if self.last_event_id(request) == ['end']:
            return connection.respond(request, 204)
        stream = Stream(self, connection, request)
        await stream.open()
        await self.normal_again(stream)
        await stream.run([{'send': {'event': 'hello', 'data': 'hello'}}, {'finish': True}])

    async def follow(self, connection, request):
        names, start = request.query.get('name', []), request.first('from') or 'live'
        too_long = any(len(name.encode()) > 256 for name in names)
        if not names or too_long or not re.fullmatch(r'live|oldest|last:\d+', start):
            return connection.respond(request, 400, json.dumps({'error': 'no name, or no such from'}).encode())
        if self.later(connection, request):
            return
        names, brought = list(dict.fromkeys(names)), self.last_event_id(request)
        known = self.hub.position_of(brought[0]) if len(brought) == 1 else None
        position = self.hub.start(names, start) if known is None else known
        if known is not None and fault('twice-after-resume'):
            position = max(position - 1, 0)
        if known is not None and fault('lost-after-resume'):
            position += 1
        unknown = bool(brought) and known is None and not fault('unknown-id-is-fresh')
        # A fresh client asked for nothing that was trimmed.
        trims = self.hub.trims(names, position)
        excused = trims if known is None else {}
        outcome = 'gap' if unknown or trims and known is not None else 'resumed' if known is not None else 'fresh'
        stream = Stream(self, connection, request, [('x-resumption', outcome)])
        await stream.open({'retry': random.randint(2000, 4000)}, None if unknown else id_of(position))
        if unknown:
            self.hub.counts['gaps'] += 1
            await stream.write(gap({'reason': 'unknown'}, position))
        await stream.follow(names, position, excused, trims)

    def plain(self, request, body):
        """Routes that are no streams: a status, a JSON value or a page, and header fields."""
        method, path = request.method, request.path
        get = 'GET' if method == 'HEAD' else method
        stream = re.fullmatch(r'/streams/([^/]+)(/close)?', path)
        allowed = {'/': 'GET, HEAD', '/about': 'GET, HEAD', '/stats': 'GET, HEAD', '/publish': 'POST', '/drain': 'POST', '/decode': 'POST'}
        if path in allowed and get not in allowed[path]:
            return 405, None, [('allow', allowed[path])]
        if path == '/':
            return 200, '<!doctype html><title>conformance</title>' + ' ' * 1000, []
        if path == '/about':
            groups = [*GROUPS, 'compression'] if self.options.compress else GROUPS
            return 200, {'name': 'python ' + sys.version.split()[0], 'groups': groups, 'keep_alive_ms': self.options.keep_alive_ms}, []
        if path == '/stats':
            return 200, self.hub.stats(self.open_streams()), []
        if path == '/publish':
            return (*self.publish(body), [])
        if path == '/drain':
            self.drain(int(request.first('window_ms') or 0))
            return 202, None, []
        if path == '/decode':
            return (*decode(request, body), [])
        if stream and stream[1] in self.streams:
            stream, close = self.streams[stream[1]], stream[2]
            if close:
                stream.end('closed')
                return 204, None, []
            return 200, {'active': stream.reason is None, 'reason': stream.reason}, []
        return 404, None, []

    def publish(self, body):
        try:
            value = json.loads(body.decode())
        except (ValueError, UnicodeDecodeError) as error:
            return 400, {'error': f'no JSON: {error}'}
        events = []
        for event in value if isinstance(value, list) else [value]:
            fine = isinstance(event, dict) and is_fields({k: v for k, v in event.items() if k != 'topic'}, ('data', 'event', 'retry'))
            topic = event.get('topic') if fine else None
            try:
                if not isinstance(topic, str) or len(topic.encode()) > 256 or event.get('event') == 'gap':
                    raise Refused('topic')
                fields = {name: text for name, text in event.items() if name != 'topic' and text is not None}
                check(fields)
            except Refused as refused:
                if fault('half-a-batch'):
                    self.hub.publish(events)
                return 400, {'error': f'{refused} cannot be published'}
            events.append((topic, fields))
        return 200, {'ids': self.hub.publish(events)}

    def drain(self, window_ms):
        if self.draining:
            return
        self.draining = True
        for stream in list(self.streams.values()):
            part = random.random() if stream.follows else 1
            last = b'' if fault('no-retry-at-drain') else encode({'retry': self.retry()})
            asyncio.get_running_loop().call_later(window_ms / 1000 * part, stream.end, 'drained', last)

    async def stop(self):
        self.drain(self.options.drain_window_ms)
        deadline = asyncio.get_running_loop().time() + self.options.drain_deadline_ms / 1000
        unsent_bytes = lambda: any(connection.writer.transport.get_write_buffer_size() for connection in self.connections)
        while (self.open_streams() or unsent_bytes()) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        self.stopped.set()


def decode(request, body):
    try:
        chunk = int(request.first('chunk') or 0)
    except ValueError:
        return 400, {'error': 'chunk is no number'}
    decoder = Decoder(request.first('seed') or '')
    for at in range(0, len(body), chunk or len(body) or 1):
        decoder.feed(body[at:at + (chunk or len(body))])
    answer = {'events': decoder.events, 'retry': decoder.retry, 'last_event_id': decoder.last_event_id}
    return 200, {**answer, 'errors': decoder.errors} if decoder.errors else answer


async def main(options):
    server = Server(options)
    host, port = options.listen.rsplit(':', 1)
    listening = await asyncio.start_server(server.serve, host, int(port), backlog=1024)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, lambda: asyncio.ensure_future(server.stop()))
    print(f'listening on http://{host}:{listening.sockets[0].getsockname()[1]}', flush=True)
    await server.stopped.wait()
    # Without the interpreter's own shutdown, which would wait for every connection.
    os._exit(1 if fault('exit-code') else 0)


if __name__ == '__main__':
    if sys.argv[1:] == ['--faults']:
        for name, (case, words) in faults.FAULTS.items():
            print(f'{name}\t{case}\t{words}')
    elif faults.NAME and faults.NAME not in faults.FAULTS:
        sys.exit(f'no fault is named {faults.NAME}')
    else:
        asyncio.run(main(options(sys.argv[1:])))
