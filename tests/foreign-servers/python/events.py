"""Event streams: the encoder, with habits of its own, and a decoder."""
import re

from faults import fault

MOST = 1024 * 1024
LONGEST_RETRY = 2**31 - 1
RESERVED = ('sse-open', 'sse-position', 'sse-end', 'sse-later')
BREAK = re.compile('\r\n|\r|\n')


class Refused(Exception):
    """The name of the field that cannot be sent."""


def size(text):
    return len((text or '').encode())


def check(fields, page=True):
    """Raises Refused for the first field, in the order id, event, data, retry, that cannot be sent; to a page, if it is one."""
    id, kind, retry = fields.get('id'), fields.get('event'), fields.get('retry')
    if id is not None:
        controls = re.search('[\0-\x1f\x7f-\x9f]', id)
        if controls and not (fault('nul-in-id') and controls[0] == '\0') or id != id.strip(' ') or size(id) > 128:
            raise Refused('id')
    if kind is not None and (re.search('[\r\n]', kind) and not fault('break-in-type') or kind in RESERVED):
        raise Refused('event')
    # An EventSource fires these itself.
    if page and kind in ('error', 'open'):
        raise Refused('event')
    if sum(size(fields.get(name)) for name in ('id', 'event', 'data', 'comment')) > MOST:
        raise Refused('data')
    if retry is not None and retry > LONGEST_RETRY:
        raise Refused('retry')


def comment(text):
    """Comment lines end with CR LF, and a blank line follows them."""
    lines = [text] if fault('break-in-comment') else BREAK.split(text)
    return ''.join(f':{line}\r\n' for line in lines).encode() + b'\r\n'


def encode(fields):
    """The ID comes first, then the event type, then the data; an empty value keeps the space after its colon."""
    block = ''
    if fields.get('id') is not None and not (fields['id'] == '' and fault('empty-id-lost')):
        block += f'id: {fields["id"]}\n'
    if fields.get('event'):
        block += f'event: {fields["event"]}\n'
    if fields.get('data') is not None:
        data = fields['data'].replace('\0', '') if fault('nul-lost') else fields['data']
        lines = data.split('\n') if fault('cr-kept') else BREAK.split(data)
        if lines[-1] == '' and len(lines) > 1 and fault('last-break-lost'):
            lines.pop()
        if data == '' and fault('empty-data-lost'):
            lines = []
        colon = 'data:' if fault('leading-space-lost') else 'data: '
        block += ''.join(f'{colon}{line}\n' for line in lines)
    if fields.get('retry') is not None:
        block += f'retry: {fields["retry"] // 1000 if fault("retry-in-seconds") else fields["retry"]}\n'
    text = (block + '\n').encode() if block else b''
    return (comment(fields['comment']) if fields.get('comment') is not None else b'') + text


class Decoder:
    """WHATWG HTML 9.2.6, and a bound: an event of more than a mebibyte is an error, and its ID does not count."""

    def __init__(self, last_event_id=''):
        self.id = self.last_event_id = last_event_id
        self.events, self.errors, self.retry = [], [], None
        self.pending, self.begun, self.after_cr = bytearray(), False, False
        self.clear()

    def clear(self):
        self.data, self.kind, self.size, self.failed = [], '', 0, False

    def feed(self, chunk):
        if self.after_cr and chunk.startswith(b'\n'):
            chunk = chunk[1:]
            self.after_cr = False
        if not chunk:
            return
        self.after_cr = chunk.endswith(b'\r')
        *lines, rest = re.split(b'\r\n|\r|\n', chunk)
        for line in lines:
            self.pending += line
            whole, self.pending = bytes(self.pending), bytearray()
            if not self.begun:
                self.begun, whole = True, whole.removeprefix(b'\xef\xbb\xbf')
            self.line(whole)
        self.pending += rest

    def line(self, line):
        if not line:
            return self.dispatch()
        if self.failed:
            return
        self.size += len(line)
        if self.size > MOST + 65536:
            self.failed, self.data = True, []
            self.errors.append('an event of more than 1 MiB')
            return
        name, _, value = line.decode('utf-8', 'replace').partition(':')
        value = value.lstrip(' ') if fault('two-spaces-stripped') else value.removeprefix(' ')
        if name == 'data':
            self.data.append(value)
        elif name == 'event':
            self.kind = value
        elif name == 'id' and '\0' not in value:
            self.id = value
        elif name == 'retry' and re.fullmatch('[0-9]+', value):
            self.retry = int(value)

    def dispatch(self):
        if self.failed:
            self.id = self.last_event_id
        self.last_event_id = self.id
        if self.data or fault('block-without-data-dispatched'):
            self.events.append({'type': self.kind or 'message', 'data': '\n'.join(self.data), 'id': self.id})
        self.clear()
