// The part of parse-prometheus-text-format that the tests call; the package has no types of its own.

declare module 'parse-prometheus-text-format' {
  export interface MetricFamily {
    readonly name: string;
    readonly type: string;
    readonly metrics: readonly { readonly value?: string; readonly labels?: Readonly<Record<string, string>> }[];
  }
  export default function parse(text: string): MetricFamily[];
}
