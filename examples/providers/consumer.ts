// The consumer of the provider examples: adds up what it is given. It is the same whatever memory the bytes lie in, and
// whoever gives them: a channel of a pool, or the receiver of a user area.

/** What a consumer sees of what it is given: a pool's Fragment is one, a user area's Delivery another. */
export interface Piece {
  readonly bytes: Uint8Array;
  release(): void;
}

/** Where it comes from: a Channel or a Receiver. */
export interface Source {
  /** Blocks until there is something; false: there never will be. */
  waitSync(timeoutMs?: number): boolean;
  receive(): Piece | null;
}

/** What came, in numbers. */
export interface Total {
  pieces: number;
  bytes: number;
  /** Of all bytes. */
  sum: number;
}

/** Adds a piece to the total. */
export function addPiece(total: Total, bytes: Uint8Array): void {
  total.pieces += 1;
  total.bytes += bytes.length;
  for (const byte of bytes) total.sum += byte;
}

/** Takes everything until the source has ended. */
export function consume(source: Source): Total {
  const total: Total = { pieces: 0, bytes: 0, sum: 0 };
  while (source.waitSync()) {
    const piece = source.receive();
    if (piece === null) continue; // another consumer was faster
    addPiece(total, piece.bytes);
    piece.release();
  }
  return total;
}
