// What the bench uses of packages that bring other types, or none.

declare module 'thread-stream' {
  interface Target {
    write(data: string): boolean;
    once(event: 'drain' | 'ready', listener: () => void): unknown;
    flush(done: (error?: Error | null) => void): void;
  }
  const ThreadStream: new (options: { filename: string; workerData: object }) => Target;
  export default ThreadStream;
}

declare module 'pino' {
  export function transport(options: { target: string; options: object }): import('thread-stream').Target;
}

declare module 'sonic-boom' {
  const SonicBoom: new (options: { dest: string; minLength: number; sync: boolean }) => import('thread-stream').Target;
  export default SonicBoom;
}
