import {
  asNumber,
  byCode,
  hitsAndMisses,
  judged,
  labelled,
  messageCounts,
  stepsByName,
} from './labels.ts';
import { laneMetrics } from './lane-definitions.ts';
import type { Metrics } from './metrics.ts';
import { poolMetrics } from './pool-definitions.ts';
import { counter, gauge, histogram, type ReadMetric } from './read-metric.ts';
import { sessionStates } from './session-meter.ts';
import { storeMetrics } from './store-definitions.ts';

/**
 * Every metric of the proxy itself: name, meaning, and where its value is kept. docs/metrics.md is made from this list.
 *
 * A label's values are words of our own code (codes, classes, states, steps). What a client sends is never one: not its
 * name, not its agent, not its SQL.
 */
export function definitions(metrics: Metrics): ReadMetric[] {
  return [
    ...sessionMetrics(metrics),
    ...statementMetrics(metrics),
    ...poolMetrics(metrics),
    ...laneMetrics(metrics),
    ...loginMetrics(metrics),
    ...readingMetrics(metrics),
    ...storeMetrics(metrics),
    ...processMetrics(metrics),
  ];
}

function sessionMetrics({ sessions, sources, connectionsRefused }: Metrics): ReadMetric[] {
  return [
    gauge(
      {
        name: 'hatidata_sessions',
        help: 'Clients by state: arriving (not let in yet), idle, active (an answer is owed, or a batch has no Sync yet), in_transaction, failed_transaction',
        labels: ['state'],
      },
      () => {
        const counts = new Map<string, number>(sessionStates.map((state) => [state, 0]));
        for (const { state } of sessions.live) counts.set(state, counts.get(state)! + 1);
        counts.set('arriving', sources.arriving?.() ?? 0);
        return labelled('state', counts);
      },
    ),
    counter(
      { name: 'hatidata_sessions_opened_total', help: 'Clients that were let in', labels: [] },
      () => sessions.opened,
    ),
    counter(
      {
        name: 'hatidata_sessions_ended_total',
        help: 'Sessions that HatiData ended, by the error that the client was told',
        labels: ['code', 'blame'],
      },
      () => byCode(sessions.ends),
    ),
    counter(
      {
        name: 'hatidata_connections_refused_total',
        help: 'Connections that did not become a session, by the error that the client was told',
        labels: ['code', 'blame'],
      },
      () => byCode(connectionsRefused),
    ),
    counter(
      {
        name: 'hatidata_bytes_total',
        help: 'Bytes of sessions, inside TLS: peer is client or engine; in is what HatiData received from it',
        labels: ['peer', 'direction'],
      },
      () => {
        const { fromClients, toClients, fromEngine, toEngine } = sessions.bytes;
        return [
          [{ peer: 'client', direction: 'in' }, fromClients],
          [{ peer: 'client', direction: 'out' }, toClients],
          [{ peer: 'engine', direction: 'in' }, fromEngine],
          [{ peer: 'engine', direction: 'out' }, toEngine],
        ];
      },
    ),
    counter(
      {
        name: 'hatidata_client_messages_total',
        help: 'Messages of clients by kind; execute counts the runs of prepared statements',
        labels: ['type'],
      },
      () => labelled('type', messageCounts(sessions.messages)),
    ),
  ];
}

function statementMetrics({ sessions, judgements }: Metrics): ReadMetric[] {
  return [
    histogram(
      {
        name: 'hatidata_statement_seconds',
        help: 'Time from a Query, or the first message of a batch, to its ReadyForQuery, the engine’s work included',
        labels: [],
      },
      () => [[{}, sessions.statements]],
    ),
    counter(
      {
        name: 'hatidata_judged_statements_total',
        help: 'Statements of Query and Parse by the act that asks most of a key, and what was decided: forward, refuse, answer (by HatiData itself). Class unread: a text that could not be read',
        labels: ['class', 'decision'],
      },
      () => judged(judgements.judged),
    ),
    counter(
      {
        name: 'hatidata_refusals_total',
        help: 'Messages of sessions that were refused, by error and by whose doing it is',
        labels: ['code', 'blame'],
      },
      () => byCode(sessions.refusals),
    ),
    histogram(
      {
        name: 'hatidata_step_seconds',
        help: 'Time of each step of the pipeline, its waits included; one statement in 17 is timed',
        labels: ['step'],
      },
      () => labelled('step', stepsByName(judgements.steps)),
    ),
  ];
}

function loginMetrics({ sources, logins, verifications }: Metrics): ReadMetric[] {
  return [
    counter(
      {
        name: 'hatidata_logins_total',
        help: 'Logins by outcome: accepted (a key), local (the local administrator of dev mode), refused (no such key)',
        labels: ['outcome'],
      },
      () => labelled('outcome', logins.entries()),
    ),
    counter(
      {
        name: 'hatidata_key_cache_total',
        help: 'Secrets of logins by whether they were remembered (hit) or had to be verified (miss)',
        labels: ['result'],
      },
      () => hitsAndMisses(sources.keyCache?.()),
    ),
    gauge(
      { name: 'hatidata_key_cache_entries', help: 'Secrets that are remembered', labels: [] },
      () => sources.keyCache?.().entries,
    ),
    gauge(
      {
        name: 'hatidata_key_verifications_waiting',
        help: 'Logins that wait for their turn to be verified (Argon2id)',
        labels: [],
      },
      () => sources.waitingVerifications?.(),
    ),
    histogram(
      {
        name: 'hatidata_key_verification_seconds',
        help: 'Time of one verification (Argon2id), without the wait for its turn',
        labels: [],
      },
      () => [[{}, verifications]],
    ),
  ];
}

/** What statements are read and judged with. */
function readingMetrics({ sources }: Metrics): ReadMetric[] {
  return [
    counter(
      {
        name: 'hatidata_statement_cache_total',
        help: 'Texts by whether they, or others that differ in plain literals alone, were known (hit) or had to be read (miss)',
        labels: ['result'],
      },
      () => hitsAndMisses(sources.statementCache?.()),
    ),
    gauge(
      { name: 'hatidata_statement_cache_bytes', help: 'Size of the known texts', labels: [] },
      () => sources.statementCache?.().bytes,
    ),
    gauge(
      { name: 'hatidata_statement_cache_entries', help: 'Number of the known texts', labels: [] },
      () => sources.statementCache?.().entries,
    ),
    gauge(
      {
        name: 'hatidata_parser_waiting',
        help: 'Large texts that wait for a parser thread',
        labels: [],
      },
      () => sources.parsers?.().waiting,
    ),
    counter(
      {
        name: 'hatidata_parser_threads_replaced_total',
        help: 'Parser threads that were replaced: a text broke them, took too long or was huge',
        labels: [],
      },
      () => sources.parsers?.().replaced,
    ),
    gauge(
      {
        name: 'hatidata_parser_in_process',
        help: '1 while small texts are read by the main thread; 0 for good once its parser broke, in any worker',
        labels: [],
        aggregator: 'min',
      },
      () => asNumber(sources.parsers?.().isInProcess),
    ),
    counter(
      {
        name: 'hatidata_catalogue_refreshes_total',
        help: 'Looks at what the database has beside PostgreSQL’s own, by outcome: ok, failed',
        labels: ['outcome'],
      },
      () => {
        const counts = sources.catalogue?.();
        return (
          counts &&
          labelled('outcome', [
            ['ok', counts.refreshed],
            ['failed', counts.failed],
          ])
        );
      },
    ),
    gauge(
      {
        name: 'hatidata_catalogue_age_seconds',
        help: 'Time since what is known of the database was last known to be true; of the worker that is furthest behind',
        labels: [],
        aggregator: 'max',
      },
      () => {
        const at = sources.catalogue?.().at;
        return at === undefined ? undefined : Math.max(0, (Date.now() - at) / 1_000);
      },
    ),
  ];
}

function processMetrics({ eventLoop, version }: Metrics): ReadMetric[] {
  return [
    histogram(
      {
        name: 'hatidata_event_loop_delay_seconds',
        help: 'How late a timer fired that is due every 100 ms',
        labels: [],
      },
      () => [[{}, eventLoop.latencies]],
    ),
    gauge(
      {
        name: 'hatidata_build_info',
        help: 'Always 1; the labels are the versions of HatiData and Node',
        labels: ['version', 'node'],
        aggregator: 'first',
      },
      () => [[{ version, node: process.versions.node }, 1]],
    ),
  ];
}
