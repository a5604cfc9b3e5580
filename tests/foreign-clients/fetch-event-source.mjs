// Made for pages: what it asks of one is put here. With the argument `json` each message is parsed, as most handlers do.
import { serve } from './talk.mjs';

globalThis.window = globalThis;
globalThis.document = { addEventListener() {}, removeEventListener() {} };
const { fetchEventSource } = await import('@microsoft/fetch-event-source');
const check = process.argv[2] === 'json' ? JSON.parse : () => {};

serve(({ url }, tell) => {
  const stop = new AbortController();
  return fetchEventSource(url, {
    signal: stop.signal,
    onmessage({ event, data, id }) {
      check(data);
      if (tell(event || 'message', data, id)) stop.abort();
    },
    // As its manual says to have it come back when a stream ends.
    onclose() { throw new Error('ended'); },
  });
});
