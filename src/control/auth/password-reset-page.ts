import { longestPassword, shortestPassword } from '../../api/fields.ts';
import { formStyle, type Page } from '../http/pages.ts';

/** Where the link of a mail leads. Its token is behind the #, which browsers send to nobody. */
export const passwordResetPath = '/password-reset';

const body = `
<main>
<h1>A new password on HatiData</h1>
<form>
<label>New password <input name="password" type="password" autocomplete="new-password" maxlength="${longestPassword}" required></label>
<p>${shortestPassword} characters or more. You will be logged out wherever you are logged in.</p>
<button>Change it</button>
</form>
<p role="status"></p>
</main>
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
  const new_password = form.elements.password.value;
  said.textContent = 'One moment …';
  try {
    const response = await fetch('v1/auth/password/reset', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, new_password }),
    });
    if (response.ok) {
      form.hidden = true;
      said.textContent = 'Done. You can log in with it now.';
    } else {
      const { message, details } = (await response.json()).error;
      said.textContent = details.hint === undefined ? message : message + '. ' + details.hint;
    }
  } catch {
    said.textContent = 'The server could not be reached. Try again.';
  }
});
`;

export const passwordResetPage: Page = {
  path: passwordResetPath,
  title: 'A new password on HatiData',
  style: formStyle,
  script,
  body,
};
