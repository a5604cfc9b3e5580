// Follows an event stream while the page is visible, and resumes after the last event that the page received.
// docs/client.md gives the reason for each rule.
//
//   const feed = follow("/events", { headline: (event) => add(event.data) }, (state) => show(state));
//
// `address` is a URL, or a function that chooses the URL of each attempt. `listeners` has a listener for each event type.
// `show` receives each new state: "connecting", "live", "reconnecting", "draining", "full", "paused" or "done". `feed.on(type, listener)` adds a listener,
// `feed.pause(ms)` drops the connection for that long, and `feed.close()` ends everything. `{ whileHidden: true }` as the
// last argument keeps the stream of a hidden page, for a stream that cannot be resumed.
"use strict";

function follow(address, listeners, show = () => {}, { whileHidden = false } = {}) {
  const LONGEST_WAIT = 30_000;
  const closed = new AbortController();
  let source = null, timer = 0, tries = 0, lastEventId = "", state = "", reason = "", pausedUntil = 0;
  listeners = { "sse-open": () => {}, "sse-position": () => {}, ...listeners };

  const setState = (next) => {
    if (next !== state) show(state = next);
  };

  function disconnect() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function connect() {
    disconnect();
    if (closed.signal.aborted || (document.hidden && !whileHidden)) return;
    const left = pausedUntil - Date.now();
    if (left > 0) return void (timer = setTimeout(connect, left));
    setState(reason || (state && state !== "connecting" ? "reconnecting" : "connecting"));
    const target = new URL(address instanceof Function ? address() : address, document.baseURI);
    // A new EventSource sends no Last-Event-ID. Its own reconnects send the header, which the server prefers.
    if (lastEventId) target.searchParams.set("lastEventId", lastEventId);
    source = new EventSource(target);
    Object.keys(listeners).forEach(listen);
    source.addEventListener("sse-later", (event) => setState(reason = JSON.parse(event.data).reason));
    source.addEventListener("sse-end", () => { close(); setState("done"); });
    source.onerror = () => {
      setState(reason || "reconnecting");
      // The browser reconnects by itself, to the same address.
      if (source.readyState !== EventSource.CLOSED && !(address instanceof Function)) return;
      source.close();
      // The browser gave up: the answer was no event stream, for example a 502 of a proxy.
      timer = setTimeout(connect, Math.min(LONGEST_WAIT, 500 * 2 ** tries++) * (0.5 + Math.random() / 2));
    };
  }

  function listen(type) {
    source?.addEventListener(type, (event) => {
      lastEventId = event.lastEventId || lastEventId;
      // After the event `open` the server may still be away, because a proxy can answer 200. Events come from the server.
      [tries, reason] = [0, ""];
      setState("live");
      listeners[type](event);
    });
  }

  function on(type, listener) {
    const known = Object.hasOwn(listeners, type);
    listeners[type] = listener;
    if (!known) listen(type);
  }

  function pause(ms) {
    pausedUntil = Date.now() + ms;
    if (!closed.signal.aborted) setState("paused");
    connect();
  }

  function close() {
    closed.abort();
    disconnect();
  }

  const wake = (target, type, act) => target.addEventListener(type, act, { signal: closed.signal });
  // Over HTTP/1.1 a browser opens six connections to a server, for all of its tabs together. A hidden page keeps none.
  wake(document, "visibilitychange", () => {
    if (whileHidden) return;
    if (document.hidden) setState("paused");
    connect();
  });
  wake(window, "pagehide", disconnect);
  wake(window, "pageshow", (event) => { if (event.persisted) connect(); });
  wake(window, "online", connect);
  connect();
  return { on, pause, close };
}
