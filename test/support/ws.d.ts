// What the tests use of ws, which has no types of its own.

declare module 'ws' {
  import type { EventEmitter } from 'node:events';
  import type { AddressInfo } from 'node:net';

  export class WebSocket extends EventEmitter {
    constructor(address: string);
    readonly readyState: number;
    readonly CLOSING: number;
    send(data: string | Uint8Array): void;
    close(): void;
    terminate(): void;
  }
  export class WebSocketServer extends EventEmitter {
    constructor(options: { port: number; host: string });
    address(): AddressInfo;
    close(): void;
  }
}
