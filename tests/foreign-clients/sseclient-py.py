# /// script
# dependencies = ["sseclient-py==1.9.0", "requests==2.34.2"]
# ///
import requests, sseclient, talk


def read(url, again):
    last = ""
    while True:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        with requests.get(url, stream=True, headers=headers) as response:
            for event in sseclient.SSEClient(response).events():
                last = event.id or last
                yield event.event, event.data, event.id or ""
        if not again:
            return


talk.serve(read)
