// Reading numbers from a packet as from a DataView, wherever its fragments end.
//
// The bytes of a number are gathered into eight of this thread's own, and read from there: no view and no object is
// made.

const bytes = new Uint8Array(8);
const data = new DataView(bytes.buffer);

/**
 * The readers of a DataView; big-endian unless asked otherwise. Each throws POOL_ERR_INVALID_ARGUMENT outside the
 * packet.
 */
export abstract class PacketReader {
  /** Writes `count` bytes from `offset` on at the start of `into`. */
  protected abstract gather(call: string, offset: number, count: number, into: Uint8Array): void;

  getUint8(offset: number): number {
    this.gather('getUint8', offset, 1, bytes);
    return bytes[0] as number;
  }

  getInt8(offset: number): number {
    this.gather('getInt8', offset, 1, bytes);
    return data.getInt8(0);
  }

  getUint16(offset: number, littleEndian?: boolean): number {
    this.gather('getUint16', offset, 2, bytes);
    return data.getUint16(0, littleEndian);
  }

  getInt16(offset: number, littleEndian?: boolean): number {
    this.gather('getInt16', offset, 2, bytes);
    return data.getInt16(0, littleEndian);
  }

  getUint32(offset: number, littleEndian?: boolean): number {
    this.gather('getUint32', offset, 4, bytes);
    return data.getUint32(0, littleEndian);
  }

  getInt32(offset: number, littleEndian?: boolean): number {
    this.gather('getInt32', offset, 4, bytes);
    return data.getInt32(0, littleEndian);
  }

  getBigUint64(offset: number, littleEndian?: boolean): bigint {
    this.gather('getBigUint64', offset, 8, bytes);
    return data.getBigUint64(0, littleEndian);
  }

  getBigInt64(offset: number, littleEndian?: boolean): bigint {
    this.gather('getBigInt64', offset, 8, bytes);
    return data.getBigInt64(0, littleEndian);
  }

  getFloat32(offset: number, littleEndian?: boolean): number {
    this.gather('getFloat32', offset, 4, bytes);
    return data.getFloat32(0, littleEndian);
  }

  getFloat64(offset: number, littleEndian?: boolean): number {
    this.gather('getFloat64', offset, 8, bytes);
    return data.getFloat64(0, littleEndian);
  }
}
