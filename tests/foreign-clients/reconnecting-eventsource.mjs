// It wraps the EventSource of a browser. Node has one in undici.
import { EventSource } from 'undici';
import ReconnectingEventSource from 'reconnecting-eventsource';
import { serveBy } from './talk.mjs';

globalThis.EventSource = EventSource;
serveBy(ReconnectingEventSource.default ?? ReconnectingEventSource);
