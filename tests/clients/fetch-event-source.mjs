// Made for pages: what it asks of one is put here.
import { serve } from './talk.mjs';

globalThis.window = globalThis;
globalThis.document = { addEventListener() {}, removeEventListener() {} };
const { fetchEventSource } = await import('@microsoft/fetch-event-source');

serve(({ url }, tell) => {
  const stop = new AbortController();
  return fetchEventSource(url, {
    signal: stop.signal,
    onmessage({ event, data, id }) { if (tell(event || 'message', data, id)) stop.abort(); },
    // As its manual says to have it come back when a stream ends.
    onclose() { throw new Error('ended'); },
  });
});
