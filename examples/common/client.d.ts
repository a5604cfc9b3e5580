// The types of client.js.

type State = "connecting" | "live" | "reconnecting" | "draining" | "full" | "paused" | "done";
type Listener = (event: MessageEvent<string>) => void;

declare function follow(
  address: string | (() => string),
  listeners: Record<string, Listener>,
  show?: (state: State) => void,
  options?: { whileHidden?: boolean },
): {
  on(type: string, listener: Listener): void;
  pause(ms: number): void;
  close(): void;
};
