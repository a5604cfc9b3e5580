# /// script
# dependencies = ["httpx-sse==0.4.3", "httpx==0.28.1"]
# ///
import httpx, httpx_sse, talk


def read(url, again):
    last = ""
    while True:
        headers = {"Last-Event-ID": last} if last else {}
        with httpx.Client() as client, httpx_sse.connect_sse(client, "GET", url, headers=headers) as source:
            for event in source.iter_sse():
                last = event.id
                yield event.event, event.data, event.id
        if not again:
            return


talk.serve(read)
