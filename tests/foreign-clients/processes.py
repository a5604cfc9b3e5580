"""The two ends, a server of an adapter and a client, and a relay between them that cuts connections."""
import json, os, queue, re, select, socket, struct, subprocess, threading, urllib.request
from contextlib import suppress
from urllib.parse import urlencode

# A busy machine takes its time to start twenty clients.
PATIENCE = 30


class Server:
    """The conformance server, behind one adapter."""

    def __init__(self, program, adapter, options):
        command = [str(program), "--adapter", adapter, *map(str, options)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise SystemExit(f"{' '.join(command)} said {line!r}")
        self.url = line.removeprefix("listening on ").strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)

    def script(self, steps):
        return f"{self.url}/script?{urlencode({'steps': json.dumps(steps)})}"

    def publish(self, topic, data, **fields):
        body = json.dumps({"topic": topic, "data": data} | fields).encode()
        urllib.request.urlopen(urllib.request.Request(self.url + "/publish", body), timeout=PATIENCE).close()


class Relay:
    """Carries connections to a server until they are cut; then it accepts no other before `plug`."""

    def __init__(self, server):
        self.lead_to(server)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.texts, self.reset, self.last_ids = [], False, []
        # Streams that a client has the head of, and connections that were cut, by waiting for them.
        self.opened, self.is_cut = threading.Semaphore(0), threading.Event()

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.is_cut.set()
        self.listener.close()

    def accept(self):
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.carry, args=[client], daemon=True).start()

    def lead_to(self, server):
        self.address = tuple(server.url.removeprefix("http://").split(":"))

    def cut_after(self, *texts, reset=False):
        """Cuts once the server has sent these texts in this order; the last byte of the last is the last that passes."""
        self.reset, self.texts = reset, [re.escape(text.encode()) for text in texts]

    def plug(self):
        self.is_cut.clear()

    def carry(self, client):
        with suppress(OSError), client, socket.create_connection(self.address) as server:
            asked, passed = b"", b""
            while not self.is_cut.is_set():
                ready, _, _ = select.select([client, server], [], [], 0.02)
                if client in ready:
                    if not (sent := client.recv(65536)):
                        return
                    asked = self.note(asked + sent)
                    server.sendall(sent)
                if server in ready:
                    if not (sent := server.recv(65536)):
                        return
                    before, passed = len(passed), passed + sent
                    found = self.texts and re.search(b".*?".join(self.texts), passed, re.S)
                    client.sendall(passed[before : found.end() if found else None])
                    for _ in range(passed.count(b"text/event-stream", max(0, before - 16))):
                        self.opened.release()
                    if found:
                        self.texts = []
                        if self.reset:
                            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        self.is_cut.set()
                        return
                    # Texts are asked for before they are sent, and pass whole.
                    passed = passed[-1024:]

    def note(self, asked):
        *heads, rest = asked.split(b"\r\n\r\n")
        for head in heads:
            found = re.search(rb"^last-event-id: *(.*?)\r?$", head, re.I | re.M) or re.search(rb"[?&]lastEventId=([^& ]*)", head)
            self.last_ids.append(found[1].decode() if found else "")
        return rest


class Client:
    """A program beside this one, which reads the URLs that it is told; see talk.py and talk.mjs."""

    def __init__(self, command, environment, folder):
        self.process = subprocess.Popen(command, cwd=folder, env=os.environ | environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.lines = queue.Queue()
        # Whether it passes the server's own event types on, as one does that has one callback for all types.
        self.hears_all = False
        threading.Thread(target=self.listen, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(PATIENCE)

    def listen(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put("it died")

    def ask(self, url, again=False):
        with suppress(BrokenPipeError):  # then it says that it died, and no more
            print(json.dumps({"url": url, "again": again}), file=self.process.stdin, flush=True)

    def next(self, patience=PATIENCE):
        """An event as `[type, data, id]`, None at the end, or in a word why there is neither. Skips the server's own."""
        try:
            while isinstance(event := self.lines.get(timeout=patience), list) and event[0].startswith("sse-"):
                self.hears_all = True
            return event
        except queue.Empty:
            return "silence"

    def events(self, most=8, patience=PATIENCE):
        """The events up to the end, but for the one that closes a script; and the word, if one took the end's place. The
        first may take the time that a client needs to start."""
        event = self.next()
        while isinstance(event, list) and most:
            most -= 1
            if event[0] != "done":
                yield event
            event = self.next(patience)
        if event is not None:
            yield event if isinstance(event, str) else "and so on"
