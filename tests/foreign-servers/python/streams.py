"""One open stream: its bytes, its keep-alives, its end."""
import asyncio
import json
import os
import random
import sys
import uuid

from events import Refused, check, comment, encode
from faults import fault


STREAM = [('Content-Type', 'text/event-stream'), ('Cache-Control', 'no-cache, no-store, no-transform'),
          ('X-Accel-Buffering', 'no')]


class Stream:
    def __init__(self, server, connection, request, fields=()):
        self.server, self.connection, self.request, self.fields = server, connection, request, fields
        self.id, self.reason, self.last = str(uuid.uuid4()), None, b''
        self.over, self.wake, self.follows = asyncio.Event(), asyncio.Event(), False
        self.chunked = request.minor == 1 or fault('chunks-for-http-1.0')
        self.named = request.method == 'GET' and server.names_the_type(request)
        self.written, self.held, self.busy = 0.0, b'', False
        server.streams[self.id] = self
        self.loop = asyncio.get_running_loop()
        if lifetime := server.options.max_lifetime_ms:
            self.loop.call_later(lifetime / 1000 * random.uniform(0.82, 1), self.end, 'expired')

    async def open(self, fields=None, position=None):
        """The head, a comment, and the opening block with the position if it is known."""
        head = [*STREAM, ('x-stream-id', self.id), *self.fields]
        if fault('may-be-transformed'):
            head = [(name, 'max-age=60' if name == 'Cache-Control' else value) for name, value in head]
        if self.server.options.compress and fault('streams-compressed'):
            head.append(('content-encoding', 'gzip'))
        if self.chunked:
            head.append(('Transfer-Encoding', 'chunked'))
        self.connection.write_head(200, head, self.request.stays)
        block = dict(fields or {})
        if self.named:
            block['event'] = 'sse-open'
        if position is not None:
            block['id'] = position
            if self.named:
                block |= {'event': 'sse-position', 'data': '{ }'}
        if not (fault('first-bytes-late') and not block.get('id')):
            # No blank line before the block: what a client kept of a broken response must not become an event.
            opening = comment('') if fault('no-shield') else b':\r\n'
            await self.write(opening + (encode(block) or b'\n'))
        if self.server.options.keep_alive_ms:
            asyncio.ensure_future(self.keep_alive())
        asyncio.ensure_future(self.watch())

    async def watch(self):
        """Notices the client that leaves."""
        left = asyncio.ensure_future(self.connection.left.wait())
        over = asyncio.ensure_future(self.over.wait())
        await asyncio.wait({left, over}, return_when=asyncio.FIRST_COMPLETED)
        left.cancel()
        over.cancel()
        if not fault('never-gone'):
            self.end('gone')

    async def keep_alive(self):
        interval = self.server.options.keep_alive_ms / 1000
        while self.reason is None:
            due = self.written + interval - self.loop.time()
            if due > 0:
                await self.race(asyncio.sleep(due))
            elif not self.busy:
                await self.write(encode({'event': 'ping', 'data': '1'}) if fault('keep-alive-is-an-event') else comment(''))
                self.wake.set()
            else:
                await self.race(asyncio.sleep(interval))

    async def race(self, waiting):
        """Waits for this, at most until the stream is over."""
        waiting, over = asyncio.ensure_future(waiting), asyncio.ensure_future(self.over.wait())
        await asyncio.wait({waiting, over}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        over.cancel()

    def frame(self, data):
        if not self.chunked:
            return data
        return b'%x\r\n%s\r\n' % (len(data), data)

    async def write(self, data):
        if self.reason is not None and not fault('sent-after-the-end') or not data:
            return
        if fault('held-back'):
            data, self.held = self.held, data
            if not data:
                return
        full = self.connection.writer.transport.get_write_buffer_size() > self.server.options.buffer_bytes
        if fault('slow-client-loses') and full:
            return
        self.written = self.loop.time()
        self.connection.writer.write(self.frame(data))
        if not fault('slow-client-loses'):
            self.busy = True
            await self.race(self.connection.drained())
            self.busy = False

    async def send(self, fields):
        try:
            check(fields, self.request.method == 'GET')
        except Refused as refused:
            return await self.write(encode({'event': 'refused', 'data': str(refused)}))
        data = encode(fields)
        if fault('keep-alive-cuts-an-event') and b'\ndata' in data:
            half, rest = data.split(b'\ndata', 1)
            await self.write(half + b'\n')
            await self.race(asyncio.sleep(self.server.options.keep_alive_ms / 1000))
            return await self.write(comment('') + b'data' + rest)
        await self.write(data)

    async def run(self, steps):
        for step in steps:
            if self.reason is not None and not fault('sent-after-the-end'):
                break
            (name, value), = step.items()
            if name == 'send':
                await self.send({key: text for key, text in value.items() if text is not None})
            elif name == 'json':
                await self.send({'event': value.get('event'), 'data': json.dumps(value['payload'])})
            elif name == 'comment':
                if fault('crash'):
                    print('a comment is too much for this server', file=sys.stderr, flush=True)
                    os._exit(3)
                await self.send({'comment': value})
            elif name == 'checkpoint':
                named = {'event': 'sse-position', 'data': '{ }'} if self.named and not fault('id-without-data') else {}
                try:
                    check({'id': value})
                    # Clients of POST trip over blocks that they do not know.
                    if self.request.method == 'GET':
                        await self.write(encode({'id': value, **named}))
                except Refused:
                    await self.write(encode({'event': 'refused', 'data': 'id'}))
            elif name == 'sleep':
                await self.race(asyncio.sleep(value / 1000))
            elif name == 'close' and value:
                self.end('closed')
            elif name == 'fail' and value:
                wait = encode({'retry': random.randint(10000, 30000)}) if self.request.method == 'GET' else b''
                self.end('failed', wait)
            elif name == 'finish' and value and self.request.method == 'GET':
                named = {'event': 'sse-end', 'data': '{ }'} if self.named else {}
                self.end('finished', encode({'id': 'end', **named}))
            elif name == 'finish' and value:
                self.end('closed')
        await self.finish()

    async def follow(self, names, position, excused, trims):
        """Sends what is published after this position. `excused` is missing on purpose, `trims` is known from the start."""
        self.follows, hub = True, self.server.hub
        hub.waiting.append(self.wake)
        while self.reason is None:
            self.wake.clear()
            for at, block, topic in hub.replay(names, position):
                if self.reason is not None:
                    break
                if topic is None:
                    hub.counts['delivered'] += not fault('delivered-not-counted')
                elif excused.get(topic) == at:
                    position = max(position, at)
                    continue
                elif trims.get(topic) != at:
                    hub.counts['lagged'] += 1
                    if self.server.options.lag == 'end':
                        self.end('lagged')
                        break
                hub.counts['gaps'] += topic is not None
                await self.write(block)
                position = max(position, at)
                # Something may have been trimmed while this was written.
                if hub.trims(names, position):
                    break
            else:
                await self.race(self.wake.wait())
        hub.waiting.remove(self.wake)
        await self.finish()

    def end(self, reason, last=b''):
        if self.reason is None:
            self.reason, self.last = reason, last
            self.over.set()
            self.loop.call_later(60, self.server.streams.pop, self.id, None)

    async def finish(self):
        """Waits for the end, and writes the last bytes."""
        await self.over.wait()
        writer, failed = self.connection.writer, self.reason == 'failed' and self.request.method != 'GET'
        if self.reason == 'gone' or failed:
            self.connection.close()
            raise ConnectionError('it ended in the middle')
        if last := self.held + self.last:
            writer.write(self.frame(last))
        if self.chunked and not fault('no-last-chunk'):
            writer.write(b'0\r\n\r\n')
        if fault('early-request-lost'):
            self.connection.unread.clear()
        if fault('closed-after-a-stream'):
            self.request.stays = False
