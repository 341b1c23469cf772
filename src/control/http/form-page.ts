import type { Page } from './pages.ts';

/** A page with a form for one thing, which the token allows that is behind the # of its link: browsers send that to nobody. */
export interface FormPage {
  readonly path: Page['path'];
  readonly title: string;
  /** HTML. Their names are those in the body of the request; empty ones are left out. */
  readonly fields: string;
  readonly button: string;
  /** Where it goes, by POST. */
  readonly action: `v1/${string}`;
  /** Once it went well; `{field}` is that of the answer. */
  readonly done: string;
}

export function formPage({ path, title, fields, button, action, done }: FormPage): Page {
  const body = `
<main>
<h1>${title}</h1>
<form data-action="${action}" data-done="${done}">${fields}<button>${button}</button>
</form>
<p role="status"></p>
</main>
`;
  return { path, title, style, script, body };
}

const style = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 4rem auto; padding: 0 1rem; }
label { display: block; margin: 1rem 0; }
input { display: block; width: 100%; box-sizing: border-box; font: inherit; padding: .5rem; }
button { font: inherit; padding: .5rem 1rem; }
`;

/** What the server says is shown as text, never as markup. */
const script = `
const form = document.querySelector('form');
const said = document.querySelector('[role=status]');
const token = location.hash.slice(1);
if (token === '') {
  form.hidden = true;
  said.textContent = 'This link is not complete: open it as it stands in the mail.';
}
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const given = [...new FormData(form)].filter(([, value]) => value !== '');
  const { action, done } = form.dataset;
  const button = form.querySelector('button');
  button.disabled = true;
  said.textContent = 'One moment …';
  try {
    const response = await fetch(action, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, ...Object.fromEntries(given) }),
    });
    const answer = await response.json();
    if (response.ok) {
      form.hidden = true;
      said.textContent = done.replace(/{(\\w+)}/g, (_, field) => answer[field]);
    } else {
      const { message, details } = answer.error;
      said.textContent = details.hint === undefined ? message : message + '. ' + details.hint;
    }
  } catch {
    said.textContent = 'The server could not be reached. Try again.';
  } finally {
    button.disabled = false;
  }
});
`;
