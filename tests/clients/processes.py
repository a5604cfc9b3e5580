"""The two ends: a server of an adapter, and a client."""
import json, os, queue, subprocess, threading, urllib.request
from contextlib import suppress
from urllib.parse import urlencode

PATIENCE = 8


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


class Client:
    """A program beside this one, which reads the URLs that it is told; see talk.py and talk.mjs."""

    def __init__(self, command, environment, folder):
        self.process = subprocess.Popen(command, cwd=folder, env=os.environ | environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.lines = queue.Queue()
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
        """An event as `[type, data, id]`, None at the end, or in a word why there is neither."""
        try:
            return self.lines.get(timeout=patience)
        except queue.Empty:
            return "silence"

    def events(self, most=8, patience=PATIENCE):
        """The events up to the end, but for the one that closes a script; and the word, if one took the end's place."""
        while isinstance(event := self.next(patience), list) and most:
            most -= 1
            if event[0] != "done":
                yield event
        if event is not None:
            yield event if isinstance(event, str) else "and so on"
