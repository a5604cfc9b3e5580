"""`curl -N`, and a dozen lines that read what it prints."""
import subprocess, talk


def connect(url, last):
    command = ["curl", "-sSN", "-H", "Accept: text/event-stream", *(["-H", f"Last-Event-ID: {last}"] if last else []), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as curl:
        try:
            yield from curl.stdout
        finally:
            curl.terminate()


def read(url, again):
    last, kind, data = "", "", []
    while True:
        for line in connect(url, last):
            name, _, value = line.decode().removesuffix("\n").partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                data.append(value)
            elif name == "event":
                kind = value
            elif name == "id":
                last = value
            elif line == b"\n":
                if data:
                    yield kind or "message", "\n".join(data), last
                kind, data = "", []
        if not again:
            return


talk.serve(read)
