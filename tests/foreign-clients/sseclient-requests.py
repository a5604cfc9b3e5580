# /// script
# dependencies = ["sseclient==0.0.27", "requests==2.34.2"]
# ///
import sseclient, talk  # so this file cannot have its name


def read(url, again):  # comes back by itself
    for event in sseclient.SSEClient(url):
        yield event.event, event.data, event.id or ""


talk.serve(read)
