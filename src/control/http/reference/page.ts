import type { ApiDocument } from '../openapi-document.ts';
import type { Page } from '../pages.ts';
import { fieldsOf } from './fields.ts';
import { guideSections, type GuideSection } from './guide.ts';
import { code, escaped, prose } from './html.ts';
import { methodBadge, operationSection, type PlacedOperation } from './operation.ts';
import { script } from './script.ts';
import { style } from './style.ts';

/** The reference for people: all that the document of the API says, in one page. */
export const referencePath = '/docs';

export function referencePage(document: ApiDocument): Page {
  const { title, version, description } = document.info;
  const groups = groupsOf(document);
  const guide = guideSections();
  const body = `<a class="skip" href="#main">To the text</a>
<div class="page">
<nav aria-label="Contents">
<a class="home" href="#main">${escaped(title)}</a>
<details id="contents" open><summary>Contents</summary>
<label class="find" hidden>Find (press /) <input id="find" type="search" autocomplete="off"></label>
${contents(guide, groups)}
</details>
</nav>
<main id="main">
<h1>${escaped(title)}</h1>
<p>${prose(description)} Version ${escaped(version)}. For programs: <a href="v1/openapi.json">OpenAPI 3.1</a>.</p>
<p id="none" role="status" hidden>No route has all of these words.</p>
${guide.map(({ id, title: name, html }) => `<section data-group id="${id}"><h2>${name}</h2>\n${html}\n</section>`).join('\n')}
${groups.map((group) => groupSection(group, document)).join('\n')}
${eventSection(document)}
</main>
</div>`;
  return { path: referencePath, title: `${title}: reference`, style, script, body };
}

interface Group {
  readonly tag: string;
  readonly description: string;
  readonly operations: readonly PlacedOperation[];
}

function groupsOf({ paths, tags }: ApiDocument): readonly Group[] {
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
  return tags.map(({ name, description }) => ({
    tag: name,
    description,
    operations: all.filter(({ operation }) => operation.tags.includes(name)),
  }));
}

function contents(guide: readonly GuideSection[], groups: readonly Group[]): string {
  const common = [...guide, events].map(
    ({ id, title }) => `<li><a href="#${id}">${title}</a></li>`,
  );
  const lists = groups.map(({ tag, operations }) => {
    const links = operations.map(
      ({ method, operation: { operationId, summary } }) =>
        `<li data-route><a href="#${operationId}">${methodBadge(method)} <span>${escaped(summary)}</span></a></li>`,
    );
    return `<div data-group><h2>${escaped(tag)}</h2>\n<ul>\n${links.join('\n')}\n</ul></div>`;
  });
  return `<div data-group><h2>For all routes</h2>\n<ul>\n${common.join('\n')}\n</ul></div>\n${lists.join('\n')}`;
}

function groupSection(
  { tag, description, operations }: Group,
  { components }: ApiDocument,
): string {
  const sections = operations.map((each) => operationSection(each, components.schemas));
  return `<section data-group><h2>${escaped(tag)}</h2>\n<p>${prose(description)}.</p>\n${sections.join('\n')}\n</section>`;
}

const events = { id: 'events', title: 'Events' } as const;

function eventSection({ webhooks, components: { schemas } }: ApiDocument): string {
  const bodies = Object.entries(webhooks).map(([type, { post }]) => {
    const { schema } = post.requestBody!.content['application/json'];
    const fields = fieldsOf(schema, { schemas, of: 'answer' });
    return `<details><summary>${code(type)} ${prose(post.summary)}</summary>\n${fields}\n</details>`;
  });
  return `<section data-group id="${events.id}"><h2>${events.title}</h2>
<p>What <a href="#postOrganizationsOrgIdWebhooks">webhooks</a> receive, as the body of a POST. ${code('X-HatiData-Signature')} holds ${code('sha256=')} and the hex
HMAC-SHA256 of the raw body by the signing secret; two of them with a comma between while two secrets are valid.</p>
${bodies.join('\n')}
</section>`;
}
