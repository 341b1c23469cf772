import type { AccessNote, Answer, Content, Operation, Schemas } from '../openapi-document.ts';
import { fieldItem, fieldsOf } from './fields.ts';
import { block, code, escaped, json, paragraphs, prose } from './html.ts';

export interface PlacedOperation {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** One route. */
export function operationSection(placed: PlacedOperation, schemas: Schemas): string {
  const { method, path, operation } = placed;
  const { operationId, summary, description, responses } = operation;
  // Who may call it, which the document says in words too, has a line of its own.
  const [said] = (description ?? '').split(/(?:^|\n\n)Needs /);
  return `<section class="route" id="${operationId}">
<h3><a href="#${operationId}">${escaped(summary)}</a></h3>
<p class="line">${methodBadge(method)} ${code(path)}</p>
${said === undefined || said === '' ? '' : paragraphs(said)}
<p class="who">${whoMay(operation['x-access'])}</p>
${parametersOf(operation, schemas)}
${bodyOf(operation, schemas)}
${answersOf(responses, schemas)}
<details><summary>Example</summary>
${block(curlOf(placed), 'Request')}
${exampleAnswer(responses)}
</details>
</section>`;
}

export function methodBadge(method: string): string {
  return `<span class="method ${method}">${method.toUpperCase()}</span>`;
}

/** Where no permission is asked for. */
const whoMayWithout: Readonly<Record<AccessNote['credential'], string>> = {
  none: 'Needs no credential.',
  token: 'For any user that has logged in; not for API keys.',
  'token of a login by password':
    'For any user that has logged in by password; not by single sign-on, not for API keys.',
  'token or key': 'For any user that has logged in, and any API key.',
};

function whoMay({ credential, permission, roles, scope }: AccessNote): string {
  if (permission === undefined) return whoMayWithout[credential];
  const keys = typeof scope === 'string' ? `API keys with ${code(scope)}.` : 'Not for API keys.';
  return `Permission ${code(permission)}. Roles: ${roles!.map(code).join(', ')}. ${keys}`;
}

function parametersOf({ parameters = [] }: Operation, schemas: Schemas): string {
  const places = [
    ['path', 'Path'],
    ['query', 'Query'],
    ['header', 'Headers'],
  ] as const;
  return places
    .map(([place, title]) => {
      const here = parameters.filter((each) => each.in === place);
      if (here.length === 0) return '';
      const items = here.map(({ name, schema, description, required }) =>
        fieldItem(
          { name, schema, description, isRequired: required === true },
          { schemas, of: 'request' },
        ),
      );
      return `<h4>${title}</h4>\n<ul class="fields">\n${items.join('\n')}\n</ul>`;
    })
    .join('\n');
}

function bodyOf({ requestBody }: Operation, schemas: Schemas): string {
  if (requestBody === undefined) return '';
  const note = requestBody.required === true ? '' : ' <span class="type">may be left out</span>';
  return `<h4>Body${note}</h4>\n${fieldsOf(schemaIn(requestBody.content), { schemas, of: 'request' })}`;
}

function answersOf(responses: Operation['responses'], schemas: Schemas): string {
  const items = Object.entries(responses).map(([status, answer]) =>
    answerItem(status, answer, schemas),
  );
  return `<h4>Answers</h4>\n<ul class="answers">\n${items.join('\n')}\n</ul>`;
}

function answerItem(status: string, { description, content }: Answer, schemas: Schemas): string {
  const line = `<b>${escaped(status)}</b> ${prose(description)}`;
  const fields =
    content && isGood(status) ? fieldsOf(schemaIn(content), { schemas, of: 'answer' }) : '';
  if (fields === '') return `<li>${line}</li>`;
  return `<li><details><summary>${line}</summary>\n${fields}\n</details></li>`;
}

function isGood(status: string): boolean {
  return status.startsWith('2');
}

function schemaIn(content: Content) {
  return content['application/json'].schema;
}

function exampleAnswer(responses: Operation['responses']): string {
  const [status, answer] = Object.entries(responses).find(([each]) => isGood(each)) ?? [];
  const example = answer?.content?.['application/json'].example;
  return example === undefined ? '' : `<p>${status}</p>\n${block(json(example), 'Answer')}`;
}

/** With ids in the place of parameters, as the other examples have them. */
function curlOf({ method, path, operation }: PlacedOperation): string {
  const { requestBody, 'x-access': access } = operation;
  const needed = (operation.parameters ?? []).filter(
    (each) => each.in === 'query' && each.required === true,
  );
  const query = needed.map(({ name }) => `${name}={${name}}`).join('&');
  const verb = method === 'get' ? '' : `-X ${method.toUpperCase()} `;
  const lines = [`curl ${verb}"$API${path}${query === '' ? '' : `?${query}`}"`];
  if (access.credential !== 'none') lines.push(`-H "Authorization: Bearer $TOKEN"`);
  if (requestBody !== undefined) {
    const { example } = requestBody.content['application/json'];
    lines.push(`-H 'Content-Type: application/json'`, `-d '${json(example)}'`);
  }
  return lines.join(' \\\n  ');
}
