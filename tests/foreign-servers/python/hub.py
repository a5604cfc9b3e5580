"""The ordered events of all topics, their bounds, and the replay after an ID."""
import asyncio
import collections
import hashlib
import json
import os
import re
import time

from events import encode
from faults import fault

SECRET = os.urandom(8)


def id_of(position):
    """An ID is a position and a tag that only this run of the server can compute."""
    return f'{position}.{hashlib.sha1(SECRET + str(position).encode()).hexdigest()[:8]}'


class Topic:
    def __init__(self):
        self.events = collections.deque()  # (position, bytes, time)
        self.bytes = 0
        self.trimmed_to = 0


class Hub:
    def __init__(self, options):
        self.options = options
        self.topics = collections.defaultdict(Topic)
        self.position = 0
        self.counts = collections.Counter()
        self.changed = asyncio.Condition()
        self.waiting = []

    def position_of(self, text):
        """The position that this ID means, or None if this run never issued it."""
        match = re.fullmatch(r'(0|[1-9][0-9]{0,15})\.[0-9a-f]{8}', text)
        position = int(match[1]) if match else -1
        return position if 0 <= position <= self.position and id_of(position) == text else None

    def publish(self, events):
        """Stores checked events and gives their IDs."""
        ids = []
        for topic, fields in events:
            self.position += 1
            ids.append(id_of(self.position))
            if fault('id-before-its-event'):
                block = encode({'id': ids[-1]}) + encode(fields)
            else:
                block = encode({**fields, 'id': ids[-1]})
            kept = self.topics[topic]
            kept.events.append((self.position, block, time.monotonic()))
            kept.bytes += len(block)
            self.counts['published'] += 1
            self.trim(kept)
        self.trim_hub()
        if not fault('asleep'):
            for waiting in self.waiting:
                waiting.set()
        return ids

    def drop_oldest(self, topic):
        topic.trimmed_to, block, _ = topic.events.popleft()
        topic.bytes -= len(block)

    def trim(self, topic):
        options, events = self.options, topic.events
        if fault('never-trimmed'):
            return
        while options.topic_events and len(events) > options.topic_events:
            self.drop_oldest(topic)
        while options.topic_bytes and topic.bytes > options.topic_bytes and len(events) > 1:
            self.drop_oldest(topic)
        while options.topic_age_ms and events and time.monotonic() - events[0][2] > options.topic_age_ms / 1000:
            self.drop_oldest(topic)

    def trim_hub(self):
        while self.options.hub_bytes and sum(topic.bytes for topic in self.topics.values()) > self.options.hub_bytes:
            self.drop_oldest(min((topic for topic in self.topics.values() if topic.events), key=lambda t: t.events[0][0]))

    def kept(self, names):
        """The kept events of these topics, in their order."""
        for name in names:
            if name in self.topics:
                self.trim(self.topics[name])
        names = list(self.topics) if fault('every-topic') else [name for name in names if name in self.topics]
        return sorted(event for name in names for event in self.topics[name].events)

    def start(self, names, start):
        """The position from which a fresh client reads."""
        events = self.kept(names)
        if start != 'live':
            count = len(events) if start == 'oldest' else int(start.removeprefix('last:'))
            if count and events:
                return events[-count:][0][0] - 1
        return self.position

    def trims(self, names, after):
        """Where events of these topics are missing after this position: {name: trimmed_to}."""
        edge = 1 if fault('false-gap') else 0
        return {name: self.topics[name].trimmed_to for name in names
                if name in self.topics and self.topics[name].trimmed_to + edge > after and self.topics[name].trimmed_to}

    def replay(self, names, after):
        """The kept events after this position, and the gaps among them: [(position, bytes, topic of the gap or None)]."""
        events = [(position, block, None) for position, block, _ in self.kept(names) if position > after]
        if fault('gap-missing') or fault('lag-in-silence'):
            return events
        gaps = [(position, gap({'reason': 'trimmed', 'topic': name}, position), name)
                for name, position in self.trims(names, after).items()]
        return sorted(events + gaps, key=lambda entry: (entry[0], entry[2] is None))

    def stats(self, streams):
        for topic in self.topics.values():
            self.trim(topic)
        kept = self.topics.values()
        return {'streams': streams, 'topics': len(kept), 'held_events': sum(len(topic.events) for topic in kept),
                'held_bytes': sum(topic.bytes for topic in kept),
                **{name: self.counts[name] for name in ('published', 'delivered', 'lagged', 'gaps')}}


def gap(data, position):
    return encode({'id': id_of(position), 'event': 'gap', 'data': json.dumps(data)})
