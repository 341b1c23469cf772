import { HatiError } from '../../errors.ts';
import type { Step } from '../pipeline.ts';

/** Statements over our own functions, relations and parameters are answered by us; everything else is the engine's. */
export const route: Step = ({ classified }) => {
  if (classified === undefined) throw new Error('route comes after read');
  const { statements } = classified;
  if (!statements.some((statement) => statement.system !== undefined)) return undefined;
  for (const { system } of statements) {
    if (system?.kind === 'misused') {
      const { what, hint } = system;
      return {
        action: 'refuse',
        error: new HatiError('system_statement_shape', { params: { what }, hint }),
      };
    }
  }
  if (statements.every((statement) => statement.system !== undefined)) {
    return { action: 'answer', statements };
  }
  return {
    action: 'refuse',
    error: new HatiError('system_statement_shape', {
      params: { what: 'a statement of HatiData in one text with other statements' },
      hint: 'Send it as a statement of its own.',
    }),
  };
};
