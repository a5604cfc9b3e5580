"""What each client is asked to read, what the standard makes of it, and what some clients are known to make of it."""
import time

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
EXPECTED = {name: events for name, (_, events) in SCRIPTS.items()} | {
    AT_ONCE: [message("x")],
    RESUMED: list("1234"),
    STOPPED: [message("x")],
}


def see(start, lasting, short, topic):
    """What a client makes of each, on a server whose streams last and on one whose streams do not. Who may not come to
    an end is started for that alone."""
    seen = {}
    with start() as client:
        for name, (steps, _) in SCRIPTS.items():
            client.ask(lasting.script([*steps, send(event="done", data="")]))
            seen[name] = list(client.events())
        seen[AT_ONCE] = at_once(client, lasting)
    with start() as client:
        seen[RESUMED] = resumed(client, short, topic)
    with start() as client:
        client.ask(lasting.script([send(retry=100, data="x"), {"finish": True}]))
        seen[STOPPED] = list(client.events(most=4, patience=3))
    return seen


def at_once(client, server):
    client.ask(server.script([send(data="x"), {"sleep": 600}, send(event="done", data="")]))
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
    for event in client.events(most=16):
        if isinstance(event, str):
            seen.append(event)
        # Some dispatch the block that tells the position, which is the matter of another check.
        elif event[1]:
            seen.append(event[1])
            time.sleep(LIFETIME_MS / 1000 if event[1] in "23" else 0)
            if event[1] in "234":
                server.publish(topic, str(int(event[1]) + 1), event="done" if event[1] == "4" else "message", retry=100)
    return seen


OWN_ID = (EXPECTED["an id that holds until the next"][:1] + [message("y")], "an event has an id only if it brought one")
NO_ID = ([message("x")], "misses an id that comes without data")
BLANK = "dispatches a block without data"
BLANK_ID = ([message("", "8"), message("x")], BLANK)
BLANK_RETRY = ([message(""), message("x")], BLANK)
FRAMING = "reads the framing of chunks as text, and notices the end of a stream only when the connection closes"
# By client and check: what is seen instead, and in words.
KNOWN = {
    "sseclient-py": {"an id that holds until the next": OWN_ID, "an id alone": NO_ID},
    "httpx-sse": {
        "an id alone": ([message("", "8"), message("x", "8")], BLANK),
        "a retry alone": BLANK_RETRY,
        STOPPED: ([message("x"), message("", "end")], BLANK),
    },
    "sseclient": {
        "an id that holds until the next": OWN_ID,
        "an id alone": BLANK_ID,
        "a retry alone": BLANK_RETRY,
        "text beyond ASCII": ([message(TEXT.encode().decode("latin-1"))], "reads UTF-8 as ISO 8859-1 where the head names no charset"),
        "line breaks of Unicode": ([message("a\u00e2\u0080\u00a8b\u00c2")], "takes line breaks of Unicode for its own"),
        RESUMED: (["1", "2", "silence"], FRAMING),
        STOPPED: ([message("x"), message("", "end"), message(""), "silence"], FRAMING),
    },
    "eventsource": {
        "an id that holds until the next": OWN_ID,
        "an id alone": NO_ID,
        STOPPED: ([message("x")] * 4 + ["and so on"], "so does not hear that a stream is finished, and opens it again"),
    },
    "eventsource-parser": {"an id that holds until the next": OWN_ID, "an id alone": NO_ID},
    "@microsoft/fetch-event-source": {
        "an id that holds until the next": OWN_ID,
        "an id alone": BLANK_ID,
        "a retry alone": BLANK_RETRY,
        STOPPED: ([message("x"), message("", "end"), "silence"], "asks on after 204"),
    },
}
