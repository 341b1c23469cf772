import { HatiError } from '../../errors.ts';
import type { Step } from '../pipeline.ts';

/** The key may have ended since the session began. In memory, no I/O. */
export const admit: Step = ({ principal, parts }) =>
  parts.keys.isCurrent(principal)
    ? undefined
    : { action: 'refuse', error: new HatiError('invalid_api_key') };
