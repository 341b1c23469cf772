import { authorize } from '../../policy/authorize.ts';
import type { Step } from '../pipeline.ts';

/** The key's scope against every act of every statement; the text is judged as a whole before any of it runs. */
export const authorizeStep: Step = ({ principal, classified, parts }) => {
  if (classified === undefined) throw new Error('authorize comes after read');
  const error = authorize(principal.scope, classified, parts.userObjects());
  return error === undefined ? undefined : { action: 'refuse', error };
};
