import type { ErrorCode, HatiError } from '../../errors.ts';
import { authorize } from '../../policy/authorize.ts';
import { authorizeParameterTypes } from '../../policy/types.ts';
import type { ClassifiedText } from '../../sql/statement.ts';
import type { StatementRequest, Step, StepResult } from '../pipeline.ts';

/** Refusals that an object made a moment ago can explain. */
const dependOnCatalogue: ReadonlySet<ErrorCode> = new Set([
  'function_not_allowed',
  'type_not_allowed',
  'relation_beyond_limits',
  'view_unreadable',
]);

/** What the key may do against every act of every statement; the text is judged as a whole before any of it runs. */
export const authorizeStep: Step = (request) => {
  const error = judge(request);
  if (error === undefined) return accept(request);
  if (!dependOnCatalogue.has(error.code)) return { action: 'refuse', error };
  return request.parts.freshenCatalogue().then((): StepResult => {
    const still = judge(request);
    return still === undefined ? accept(request) : { action: 'refuse', error: still };
  });
};

function judge(request: StatementRequest): HatiError | undefined {
  const { principal, parameterTypes, parts, searched } = request;
  const classified = classifiedOf(request);
  const catalogue = parts.catalogue();
  return (
    authorize(principal.authority, classified, catalogue, searched.after(classified, catalogue)) ??
    authorizeParameterTypes(principal.authority, parameterTypes, catalogue)
  );
}

function accept(request: StatementRequest): undefined {
  request.searched.add(classifiedOf(request));
}

function classifiedOf({ classified }: StatementRequest): ClassifiedText {
  if (classified === undefined) throw new Error('authorize comes after read');
  return classified;
}
