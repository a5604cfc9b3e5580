"""What each client is asked to read, what the standard makes of it, and what some clients are known to make of it."""
import json, time

from processes import PATIENCE, Relay

KEEP_ALIVE_MS, LIFETIME_MS = 200, 1200


def send(**fields):
    return {"send": fields}


def message(data, last_id=""):
    return ["message", data, last_id]


TEXT, BREAKS, LONG = "\u00e9 \u4e16 \U0001f980", "a\u2028b\u0085c\u000bd", "0123456789" * 4_000
# Steps of the contract, and the events in them as `[type, data, last event ID]`.
SCRIPTS = {
    "types and ids": ([send(data="plain"), send(event="tick", id="7", data="x")], [message("plain"), ["tick", "x", "7"]]),
    "an id that holds until the next": ([send(id="7", data="x"), send(data="y")], [message("x", "7"), message("y", "7")]),
    "data of several lines": ([send(data="a\nb\r\n\rc\n")], [message("a\nb\n\nc\n")]),
    "text beyond ASCII": ([send(data=TEXT)], [message(TEXT)]),
    "line breaks of Unicode": ([send(data=BREAKS)], [message(BREAKS)]),
    "spaces at both ends": ([send(data="  x ")], [message("  x ")]),
    "empty data": ([send(data=""), send(data="x")], [message(""), message("x")]),
    "an id alone": ([{"checkpoint": "8"}, send(data="x")], [message("x", "8")]),
    "a retry alone": ([send(retry=100), send(data="x")], [message("x")]),
    "comments and keep-alives": ([{"comment": "a\nb"}, {"sleep": 3 * KEEP_ALIVE_MS}, send(data="x")], [message("x")]),
    "an event of 40 kB": ([send(data=LONG)], [message(LONG)]),
}
AT_ONCE, RESUMED, STOPPED = "an event at once", "a lost connection", "the end, by 204"
QUIET, CUTS = "a loss before the first event", "ten cuts inside an event"
RESTART, FINISH = "another history at the same address", "requests after the end"
ANSWER = "an answer"
ASKS_ON = "and so on"
# Every client reads; a client that reconnects by itself is followed through losses; an SDK has a stream of its own API.
READS = {name: events for name, (_, events) in SCRIPTS.items()} | {
    AT_ONCE: [message("x")],
    RESUMED: list("1234"),
    STOPPED: [message("x")],
}
FOLLOWS = {QUIET: [1, 2, 3, 4], CUTS: list(range(1, 21)), RESTART: [1, "gap", 2], FINISH: ["", "end"]}
WORDS = [message("Hello"), message(", w\u00f6rld \U0001f980")]
# A client that reconnects by itself does not come to an end by itself.
RECONNECTS = {name: seen for name, seen in READS.items() if name != STOPPED} | FOLLOWS
OPENAI = ANTHROPIC = {ANSWER: WORDS}
VERCEL = {ANSWER: WORDS + WORDS}
MCP = {ANSWER: [*WORDS, message("by GET")]}


def see(start, lasting, short, topic, checks):
    """What a client makes of each, on a server whose streams last and on one whose streams do not. Who may not come to
    an end is started for that alone. Besides, whether it hears the server's own event types."""
    seen, clients = {}, []

    def started():
        clients.append(start())
        return clients[-1]

    if ANSWER in checks:
        with started() as client:
            client.ask(lasting.url)
            seen[ANSWER] = list(client.events())
    if AT_ONCE in checks:
        with started() as client:
            for name, (steps, _) in SCRIPTS.items():
                client.ask(lasting.script([*steps, send(event="done", data="")]))
                seen[name] = list(client.events())
            seen[AT_ONCE] = at_once(client, lasting)
        with started() as client:
            seen[RESUMED] = resumed(client, short, topic)
    if STOPPED in checks:
        with started() as client:
            client.ask(lasting.script([send(retry=100, data="x"), {"finish": True}]))
            seen[STOPPED] = list(client.events(most=4, patience=3))
    for name, check in {QUIET: quiet, CUTS: cuts, RESTART: restart, FINISH: finish}.items():
        if name in checks:
            with Relay(lasting) as relay, started() as client:
                seen[name] = check(client, lasting, relay, f"{topic}-{check.__name__}", short)
    return seen, any(client.hears_all for client in clients)


def at_once(client, server):
    client.ask(server.script([send(data="x"), {"sleep": 1500}, send(event="done", data="")]))
    events = client.events()
    first, came = next(events), time.monotonic()
    seen = [first, *events]
    return seen if time.monotonic() - came > 0.3 else [*seen, "with the next one"]


def resumed(client, server, topic):
    """Each stream ends after a second, and what follows is published when it has."""
    server.publish(topic, "1")
    server.publish(topic, "2", retry=100)
    client.ask(f"{server.url}/topics?name={topic}&from=oldest", again=True)
    seen = []
    for event in client.events(most=16, patience=8):
        if isinstance(event, str):
            seen.append(event)
        # Some dispatch the block that tells the position, which is the matter of another check.
        elif event[1]:
            seen.append(event[1])
            time.sleep(LIFETIME_MS / 1000 if event[1] in "23" else 0)
            if event[1] in "234":
                server.publish(topic, str(int(event[1]) + 1), event="done" if event[1] == "4" else "message", retry=100)
    return seen


def numbered(n):
    return json.dumps({"n": n, "text": "0123456789" * 300})


def number(event):
    """The number of an event that has one, the type of a gap, and else the event, or the word, as it is."""
    try:
        return json.loads(event[1])["n"]
    except (ValueError, LookupError, TypeError):
        return "gap" if event[0] == "gap" else event


def numbers(client, last, patience=PATIENCE):
    """The numbers of the events up to this one, and what else there is between them."""
    for event in client.events(most=40, patience=patience):
        yield number(event)
        if number(event) == last:
            return


def quiet(client, server, relay, topic, _other):
    """The connection is cut after the opening of the stream; three events follow while the client is away."""
    relay.cut_after("\n\n")
    client.ask(f"{relay.url}/topics?name={topic}", again=True)
    relay.opened.acquire(timeout=PATIENCE)
    relay.is_cut.wait(PATIENCE)
    for n in range(1, 4):
        server.publish(topic, numbered(n))
    relay.plug()
    if not relay.opened.acquire(timeout=PATIENCE):
        return ["does not reconnect"]
    server.publish(topic, numbered(4))
    return list(numbers(client, 4))


def cuts(client, server, relay, topic, _other):
    """Every other event is cut in its midst, by turns with a FIN and a RST."""
    client.ask(f"{relay.url}/topics?name={topic}", again=True)
    relay.opened.acquire(timeout=PATIENCE)
    seen = []
    for n in range(1, 21, 2):
        relay.cut_after(f'"n": {n},', "0123456789", reset=n % 4 == 1)
        server.publish(topic, numbered(n), retry=100)
        relay.is_cut.wait(PATIENCE)
        relay.plug()
        for expected in n, n + 1:
            seen += numbers(client, expected)
            if seen[-1:] != [expected]:
                return seen
            if expected == n:
                server.publish(topic, numbered(n + 1), retry=100)
    return seen


def restart(client, server, relay, topic, other):
    """The client comes to another server with the ID of an event that this one does not know."""
    client.ask(f"{relay.url}/topics?name={topic}", again=True)
    relay.opened.acquire(timeout=PATIENCE)
    relay.cut_after('"n": 1,', "\n\n")
    server.publish(topic, numbered(1), retry=100)
    relay.is_cut.wait(PATIENCE)
    relay.lead_to(other)
    relay.plug()
    relay.opened.acquire(timeout=PATIENCE)
    other.publish(topic, numbered(2))
    return list(numbers(client, 2, patience=8))


def finish(client, server, relay, _topic, _other):
    """The last event IDs of the requests that a finished stream gets within five seconds."""
    script = server.script([send(retry=100, data='"x"'), {"finish": True}])
    client.ask(script.replace(server.url, relay.url))
    relay.opened.acquire(timeout=PATIENCE)
    time.sleep(5)
    return relay.last_ids[:2] + [ASKS_ON] * (len(relay.last_ids) > 2)


OWN_WORDS = "an event has an id only if it brought one"
OWN_ID = (READS["an id that holds until the next"][:1] + [message("y")], OWN_WORDS)
OWN_IDS = {"an id that holds until the next": OWN_ID, "an id alone": ([message("x")], OWN_WORDS)}
BLANK_RETRY = ([message(""), message("x")], "dispatches a block without data")
FRAMING = "reads the framing of chunks as text, and notices the end of a stream only when the connection closes"
ON_AFTER_204 = (["", "end", ASKS_ON], "asks on after 204: close it at an event `sse-end`")
HEARS_ALL = "skip the event types that begin with `sse-`: its one callback hears them too"
PARSED_FIRST = "look at the type before the data is parsed: `sse-open` has none, and a handler that throws makes the client reconnect without end"
# By client and check: what is seen instead, and in words.
KNOWN = {
    "sseclient-py": OWN_IDS,
    "httpx-sse": {"a retry alone": BLANK_RETRY},
    "sseclient": OWN_IDS | {
        "a retry alone": BLANK_RETRY,
        "text beyond ASCII": ([message(TEXT.encode().decode("latin-1"))], "reads UTF-8 as ISO 8859-1 where the head names no charset"),
        "line breaks of Unicode": ([message("a\u00e2\u0080\u00a8b\u00c2")], "takes line breaks of Unicode for its own"),
        RESUMED: (["1", "2", "silence"], FRAMING),
        STOPPED: ([message("x"), message(""), "silence"], FRAMING),
    },
    "eventsource-parser": OWN_IDS,
    "eventsource 3": OWN_IDS,
    "eventsource 4": OWN_IDS,
    "eventsource-client": OWN_IDS,
    "event-source-polyfill": {FINISH: ON_AFTER_204},
    "reconnecting-eventsource": {FINISH: ON_AFTER_204},
    "@microsoft/fetch-event-source": OWN_IDS | {"a retry alone": BLANK_RETRY, FINISH: ON_AFTER_204},
    "the same with `JSON.parse`": {RESTART: ([1, "silence"], PARSED_FIRST), FINISH: (["", "", ASKS_ON], PARSED_FIRST)},
    "eventsource-client (Rust)": {FINISH: ON_AFTER_204},
}
