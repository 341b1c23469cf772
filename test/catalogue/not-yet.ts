/** What the catalogue asks of capabilities that the product does not have. Nothing stands here that could be tested. */
import type { NotYet } from './model.ts';

const noStatementRecord =
  'statements are not recorded yet; logins and acts on keys are, and those are tested';
const noMasks = 'there are no masks and no row policies yet';

export const notYet: readonly NotYet[] = [
  { id: 'A–D', what: 'the column “under masking must”', because: noMasks },
  {
    id: 'A–D',
    what: 'one audit row for each refusal',
    because: `${noStatementRecord}; a refusal is a line of the log (G11)`,
  },
  {
    id: 'A36',
    what: 'cancel requests are recorded and limited in rate',
    because: noStatementRecord,
  },
  {
    id: 'A38',
    what: 'a virtual database of the proxy’s administrator',
    because: 'there is none: the database name says nothing, which is tested',
  },
  {
    id: 'B17',
    what: 'cursors WITH HOLD pin a shared connection',
    because: 'each session has an engine connection of its own',
  },
  {
    id: 'B22',
    what: 'LISTEN by a scope of its own',
    because: 'channels are not limited for each key yet',
  },
  {
    id: 'C17',
    what: 'a connection that is given back to a pool',
    because: 'connections are not shared: what one session leaves ends with it, which is tested',
  },
  {
    id: 'D13',
    what: 'caps on the rows and bytes of an answer',
    because: 'time is limited, size is not; a client that does not read is (G16)',
  },
  { id: 'G02', what: 'keys that expire', because: 'keys do not expire by themselves' },
  {
    id: 'G03',
    what: 'windows in which an old and a new secret overlap',
    because: 'there is no grace period: the old secret is dead at once, which is tested',
  },
  {
    id: 'G06',
    what: 'the PROXY protocol, and lists of allowed addresses',
    because:
      'neither exists; a header in front of the startup packet ends the connection, which is tested',
  },
  {
    id: 'G09',
    what: 'a policy file that is broken, a full disk of the audit',
    because: 'there is no policy file and no record of statements',
  },
  { id: 'G10', what: 'a policy that is reloaded', because: 'the policy is code' },
  {
    id: 'G11',
    what: 'records of statements, COPY, cancel, Parse without Execute',
    because: noStatementRecord,
  },
  {
    id: 'G12',
    what: 'a chain of records with signed anchors',
    because: 'the record refuses changes by a trigger, which is tested; there is no chain',
  },
  {
    id: 'G14',
    what: 'objects of another tenant by their ids, over HTTP',
    because: 'there are no tenants and no REST API',
  },
  { id: 'G15', what: 'metrics', because: 'there are none' },
  { id: 'G18', what: 'masks by regular expression', because: noMasks },
];
