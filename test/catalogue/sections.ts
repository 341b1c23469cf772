/** The whole catalogue, by the world that its rows are run in. */
import { frames } from './rows/a-frames.ts';
import { grammar } from './rows/a-grammar.ts';
import { objects } from './rows/a-objects.ts';
import { others } from './rows/a-others.ts';
import { startups } from './rows/a-startup.ts';
import { statements } from './rows/a-statements.ts';
import { texts } from './rows/a-texts.ts';
import { code } from './rows/b-places.ts';
import { utility } from './rows/b-utility.ts';
import { writes } from './rows/b-writes.ts';
import { names } from './rows/c-names.ts';
import { settings } from './rows/c-settings.ts';
import { credentials } from './rows/d-credentials.ts';
import { effects } from './rows/d-effects.ts';
import { reads } from './rows/d-reads.ts';
import { audit } from './rows/g-audit.ts';
import { bounds } from './rows/g-bounds.ts';
import { floods } from './rows/g-floods.ts';
import { identity } from './rows/g-identity.ts';
import { keys } from './rows/g-keys.ts';
import { secrets } from './rows/g-secrets.ts';
import { drivers } from './rows/i-drivers.ts';
import { queries } from './rows/i-queries.ts';

export const sections = {
  A: [...statements, ...objects, ...frames, ...texts, ...grammar, ...startups, ...others],
  B: [...writes, ...utility, ...code],
  C: [...settings, ...names],
  D: [...effects, ...reads, ...credentials],
  G: [...keys, ...identity, ...audit, ...secrets],
  load: [...floods, ...bounds],
  I: [...queries, ...drivers],
};
