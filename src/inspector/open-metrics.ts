// A look as OpenMetrics text, which Prometheus reads: docs/inspect.md lists the metrics.
//
// Source of the format: the OpenMetrics specification 1.0. Counters of channels and calls wrap at 2^32, as a restart
// looks like; rate() takes that.

import { LINTS } from '../inspect/lints.js';
import { PLACES } from '../inspect/page-map.js';
import type { Look } from './wire.js';

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

/** Who looks. */
export interface Clients {
  readonly open: number;
  /** Since the inspector was started: they did not read. */
  readonly dropped: number;
}

/** The text of `/metrics`, its end included. */
export function openMetrics(look: Look, clients: Clients): string {
  const { calls, channels, counters, lints, ports, provider } = look;
  const { alloc, recycle } = counters;
  const text = new MetricsText({ pool: look.name });
  const attached = ports.filter(({ state }) => state !== 'free');
  text.gauge(
    'pagepool_pages',
    'Pages by where they are.',
    PLACES.map((place) => [{ place }, look.places[place]]),
  );
  text.gauge('pagepool_pages_limit', 'Pages that the pool has.', [[{}, look.pageCount]]);
  text.gauge('pagepool_pages_inflight', 'Pages that are not with the provider.', [[{}, look.inflight]]);
  text.gauge('pagepool_page_size_bytes', 'Bytes of a page.', [[{}, look.pageBytes]], 'bytes');
  text.gauge('pagepool_provider_serving', 'Whether pages can still be added.', [
    [{ kind: provider.kind }, provider.state === 'gone' ? 0 : 1],
  ]);
  text.counter('pagepool_allocations', 'Allocations by where their pages came from; refill counts magazines.', [
    [{ tier: 'fast' }, alloc.fast],
    [{ tier: 'refill' }, alloc.refill],
    [{ tier: 'slow' }, alloc.slow],
  ]);
  text.counter('pagepool_allocations_failed', 'Allocations that found no page.', [[{}, alloc.fail]]);
  text.counter('pagepool_magazines_stolen', 'Magazines taken from the caches of other threads.', [[{}, alloc.stolen]]);
  text.counter('pagepool_fragments', 'Fragments cut.', [[{}, alloc.fragments]]);
  text.counter('pagepool_pages_recycled', 'Last releases by where their pages went.', [
    [{ to: 'cache' }, recycle.cached],
    [{ to: 'ring' }, recycle.ring],
    [{ to: 'provider' }, recycle.releasedRefcnt],
  ]);
  text.counter('pagepool_pages_taken', 'Pages taken from the provider.', [[{}, counters.hold]]);
  text.counter('pagepool_pages_returned', 'Pages returned to the provider.', [[{}, counters.release]]);
  text.counter('pagepool_handles_rejected', 'Handles that were refused.', [[{}, counters.rejected]]);
  text.counter('pagepool_steps_repaired', 'Steps of dead threads that were finished.', [[{}, counters.repaired]]);
  text.gauge(
    'pagepool_port_pages_held',
    'Pages that a thread holds.',
    attached.map((port) => [portLabels(port), port.held]),
  );
  text.gauge(
    'pagepool_port_pages_cached',
    'Pages in the cache of a thread.',
    attached.map((port) => [portLabels(port), port.cached]),
  );
  text.gauge('pagepool_ports', 'Ports by their state.', [
    ...(['free', 'attached', 'set aside', 'reaped'] as const).map(
      (state): Sample => [{ state }, ports.filter((port) => port.state === state).length],
    ),
  ]);
  text.gauge('pagepool_waiting_threads', 'Threads that wait for a page, for room or for an entry.', waitingOf(look));
  const each = (pick: (channel: (typeof channels)[number]) => number): Sample[] =>
    channels.map((channel) => [{ channel: channel.name }, pick(channel)]);
  text.gauge(
    'pagepool_channel_entries',
    'Entries in a channel.',
    each(({ pending }) => pending),
  );
  text.gauge(
    'pagepool_channel_capacity',
    'Entries that a channel takes.',
    each(({ capacity }) => capacity),
  );
  text.counter(
    'pagepool_channel_sent',
    'Entries sent.',
    each(({ sent }) => sent),
  );
  text.counter(
    'pagepool_channel_received',
    'Entries received.',
    each(({ received }) => received),
  );
  text.counter(
    'pagepool_channel_dropped',
    'Entries dropped.',
    each(({ dropped }) => dropped),
  );
  const every = (pick: (call: (typeof calls)[number]) => number): Sample[] =>
    calls.map((call) => [{ calls: call.name }, pick(call)]);
  text.gauge(
    'pagepool_calls_waiting',
    'Calls that no server has taken.',
    every(({ waiting }) => waiting),
  );
  text.gauge(
    'pagepool_calls_serving',
    'Calls that are served.',
    every(({ serving }) => serving),
  );
  text.counter(
    'pagepool_calls_asked',
    'Calls asked.',
    every(({ asked }) => asked),
  );
  text.counter(
    'pagepool_calls_answered',
    'Calls answered.',
    every(({ answered }) => answered),
  );
  text.counter(
    'pagepool_calls_failed',
    'Calls that failed.',
    every(({ failed }) => failed),
  );
  text.counter(
    'pagepool_calls_cancelled',
    'Calls that were given up.',
    every(({ cancelled }) => cancelled),
  );
  text.gauge(
    'pagepool_lints',
    'Findings of each lint.',
    LINTS.map((lint) => [{ lint }, lints.filter(({ name }) => name === lint).length]),
  );
  text.gauge('pagepool_inspector_clients', 'Pages and terminals that look.', [[{}, clients.open]]);
  text.counter('pagepool_inspector_clients_dropped', 'Clients that did not read.', [[{}, clients.dropped]]);
  return text.end();
}

function portLabels({ label, portId }: { portId: number; label: string }): Labels {
  return { port: String(portId), label };
}

function waitingOf({ ports }: Look): Sample[] {
  const waits = ports.flatMap((port) => port.waits);
  const count = (prefix: string): number => waits.filter(({ what }) => what.startsWith(prefix)).length;
  return [
    [{ for: 'page' }, count('a page')],
    [{ for: 'room' }, count('room')],
    [{ for: 'entry' }, count('an entry')],
  ];
}

/** Metrics one after the other; all samples of a metric stand together. */
class MetricsText {
  readonly #lines: string[] = [];
  readonly #common: Labels;

  constructor(common: Labels) {
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
    for (const [labels, value] of samples) {
      const pairs = Object.entries({ ...this.#common, ...labels }).map(([key, text]) => `${key}="${quoted(text)}"`);
      this.#lines.push(`${sampleName}{${pairs.join(',')}} ${value}`);
    }
  }
}

function quoted(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}
