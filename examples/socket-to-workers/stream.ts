// How the baselines read: a TCP stream to its end into memory that a sink names, with back-pressure.

import { connect } from 'node:net';

/** Where the bytes of the stream go. */
export interface Sink {
  /** The memory for the next read. The socket asks one read ahead: also when `came` has just returned false. */
  room(): Uint8Array;
  /** `count` bytes came, at the start of what `room` named last. False: stop reading until `ready` resolves. */
  came(count: number): boolean;
  /** Resolves as soon as reading may go on. */
  ready(): Promise<void>;
  /** The stream has ended: hands over the rest. */
  end(): Promise<void>;
}

/** Resolves when all bytes of the stream are with the sink. */
export function readInto(sink: Sink, port: number, onBytes: (count: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer: () => sink.room(),
        callback(count) {
          onBytes(count);
          if (sink.came(count)) return true;
          sink.ready().then(() => socket.resume(), reject);
          return false;
        },
      },
    });
    socket.on('error', reject);
    socket.on('end', () => sink.end().then(resolve, reject));
  });
}
