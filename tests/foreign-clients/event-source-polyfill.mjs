import polyfill from 'event-source-polyfill';
import { serveBy } from './talk.mjs';

serveBy(polyfill.EventSourcePolyfill);
