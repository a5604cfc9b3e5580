"""HTTP/1.0 and HTTP/1.1 over asyncio: requests in, responses out, in the order of the requests."""
import asyncio
import re
from urllib.parse import parse_qs, urlsplit

from faults import fault

MOST_BODY = 8 * 1024 * 1024
MOST_HEAD = 256 * 1024
REQUEST = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/1\.([01])")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")


class Bad(Exception):
    """A request that is answered with this status; the connection closes."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


class Request:
    def __init__(self, method, target, minor, fields):
        url = urlsplit(target)
        self.method, self.path, self.minor = method, url.path, minor
        self.query = parse_qs(url.query, keep_blank_values=True)
        self.fields = fields
        options = ','.join(self.all('connection')).lower()
        self.stays = minor == 1 and 'close' not in options

    def all(self, name):
        return [value for own, value in self.fields if own == name]

    def first(self, name):
        return self.query.get(name, [None])[0]


class Connection:
    """One socket. It is read all the time, so that the end of the client is noticed during a stream."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.left = asyncio.Event()
        self.unread, self.more = bytearray(), asyncio.Event()
        self.pumping = asyncio.ensure_future(self.pump())

    async def pump(self):
        try:
            while chunk := await self.reader.read(65536):
                self.unread += chunk
                self.more.set()
                while len(self.unread) > MOST_BODY * 2:
                    await asyncio.sleep(0.02)
        except OSError:
            pass
        self.left.set()
        self.more.set()

    async def wait_for_more(self):
        if self.left.is_set():
            raise ConnectionError('the client left')
        self.more.clear()
        await self.more.wait()

    async def until(self, end, most):
        while (at := self.unread.find(end)) < 0:
            if len(self.unread) > most:
                raise Bad(431)
            await self.wait_for_more()
        taken = bytes(self.unread[:at])
        del self.unread[:at + len(end)]
        return taken

    async def exactly(self, count):
        while len(self.unread) < count:
            await self.wait_for_more()
        taken = bytes(self.unread[:count])
        del self.unread[:count]
        return taken

    async def request(self):
        lines = (await self.until(b'\r\n\r\n', MOST_HEAD)).split(b'\r\n')
        first = REQUEST.fullmatch(lines[0])
        fields = [FIELD.fullmatch(line) for line in lines[1:]]
        if not first or not all(fields):
            raise Bad(400)
        fields = [(field[1].decode().lower(), field[2].decode('utf-8', 'surrogateescape')) for field in fields]
        return Request(first[1].decode(), first[2].decode('latin-1'), int(first[3]), fields)

    async def body(self, request):
        """The whole body; one that is too large is read to its end, so that its sender can read the answer."""
        if 'chunked' in ','.join(request.all('transfer-encoding')).lower():
            body = bytearray()
            while size := int((await self.until(b'\r\n', 100)).split(b';')[0], 16):
                body += await self.exactly(size)
                await self.exactly(2)
            await self.until(b'\r\n', MOST_HEAD)
        else:
            left = int((request.all('content-length') or ['0'])[0])
            body = bytearray()
            while left:
                piece = await self.exactly(min(left, 65536))
                left -= len(piece)
                if len(body) <= MOST_BODY:
                    body += piece
        if len(body) > MOST_BODY and not fault('no-413'):
            raise Bad(413)
        return bytes(body)

    def respond(self, request, status, body=b'', fields=()):
        """A whole response."""
        head = [('content-length', str(len(body)))] if status != 204 else []
        self.write_head(status, [*fields, *head], request is None or request.stays)
        if request is None or request.method != 'HEAD':
            self.writer.write(body)

    def write_head(self, status, fields, stays):
        lines = [f'HTTP/1.1 {status} {REASONS.get(status, "Other")}', *(f'{name}: {value}' for name, value in fields)]
        if not stays:
            lines.append('connection: close')
        self.writer.write('\r\n'.join([*lines, '', '']).encode())

    async def drained(self):
        """Waits for room, at most until the client leaves."""
        if self.writer.transport.get_write_buffer_size() == 0:
            return
        drain, left = asyncio.ensure_future(self.writer.drain()), asyncio.ensure_future(self.left.wait())
        try:
            await asyncio.wait({drain, left}, return_when=asyncio.FIRST_COMPLETED)
            if drain.done():
                drain.exception()
        finally:
            drain.cancel()
            left.cancel()

    def close(self):
        self.pumping.cancel()
        self.writer.close()


REASONS = {200: 'OK', 202: 'Accepted', 204: 'No Content', 400: 'Bad Request', 404: 'Not Found', 405: 'Method Not Allowed',
           406: 'Not Acceptable', 413: 'Content Too Large', 503: 'Service Unavailable'}
