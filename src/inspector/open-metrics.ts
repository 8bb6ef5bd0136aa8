// A look as OpenMetrics text, which Prometheus reads: docs/inspect.md lists the metrics.
//
// Source of the format: the OpenMetrics specification 1.0.

import { FIGURES, type Sample } from '../inspect/figures.js';
import { LINTS } from '../inspect/lints.js';
import type { Look } from './wire.js';

/** Who looks. */
export interface Clients {
  readonly open: number;
  /** Since the inspector was started: they did not read. */
  readonly dropped: number;
}

/** The text of `/metrics`, its end included. */
export function openMetrics(look: Look, clients: Clients): string {
  const { lints } = look;
  const text = new MetricsText({ pool: look.name });
  for (const { description, kind, samples, text: name, textUnit } of FIGURES) {
    if (kind === 'counter') text.counter(name, description, samples(look));
    else text.gauge(name, description, samples(look), textUnit);
  }
  text.gauge(
    'pagepool_lints',
    'Findings of each lint.',
    LINTS.map((lint) => [lints.filter(({ name }) => name === lint).length, { lint }]),
  );
  text.gauge('pagepool_inspector_clients', 'Pages and terminals that look.', [[clients.open, {}]]);
  text.counter('pagepool_inspector_clients_dropped', 'Clients that did not read.', [[clients.dropped, {}]]);
  return text.end();
}

/** Metrics one after the other; all samples of a metric stand together. */
class MetricsText {
  readonly #lines: string[] = [];
  readonly #common: Sample[1];

  constructor(common: Sample[1]) {
    this.#common = common;
  }

  gauge(name: string, help: string, samples: readonly Sample[], unit = ''): void {
    this.#add('gauge', name, help, samples, name, unit);
  }

  /** A sample of a counter has a name of its own. */
  counter(name: string, help: string, samples: readonly Sample[]): void {
    this.#add('counter', name, help, samples, `${name}_total`, '');
  }

  end(): string {
    return `${[...this.#lines, '# EOF'].join('\n')}\n`;
  }

  #add(type: string, name: string, help: string, samples: readonly Sample[], sampleName: string, unit: string): void {
    if (samples.length === 0) return;
    this.#lines.push(`# TYPE ${name} ${type}`);
    if (unit !== '') this.#lines.push(`# UNIT ${name} ${unit}`);
    this.#lines.push(`# HELP ${name} ${help}`);
    for (const [value, labels] of samples) {
      const pairs = Object.entries({ ...this.#common, ...labels }).map(([key, text]) => `${key}="${quoted(text)}"`);
      this.#lines.push(`${sampleName}{${pairs.join(',')}} ${value}`);
    }
  }
}

function quoted(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}
