import { authorize } from '../../policy/authorize.ts';
import { authorizeParameterTypes } from '../../policy/types.ts';
import type { Step } from '../pipeline.ts';

/** The key's scope against every act of every statement; the text is judged as a whole before any of it runs. */
export const authorizeStep: Step = ({ principal, classified, parameterTypes, parts }) => {
  if (classified === undefined) throw new Error('authorize comes after read');
  const objects = parts.userObjects();
  const error =
    authorize(principal.scope, classified, objects) ??
    authorizeParameterTypes(principal.scope, parameterTypes, objects);
  return error === undefined ? undefined : { action: 'refuse', error };
};
