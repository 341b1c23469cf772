import { longestPassword, shortestPassword } from '../../api/fields.ts';
import { formStyle, type Page } from '../http/pages.ts';

/** Where an invitation's link leads. Its token is behind the #, which browsers send to nobody. */
export const invitationPath = '/invitation';

const body = `
<main>
<h1>Invitation to HatiData</h1>
<form>
<p>Choose a name and a password. If you have an account under the invited address already, give its password; the name is not needed then.</p>
<label>Name <input name="name" autocomplete="name" maxlength="100"></label>
<label>Password <input name="password" type="password" autocomplete="new-password" maxlength="${longestPassword}" required></label>
<p>A new one has ${shortestPassword} characters or more.</p>
<button>Accept</button>
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
  const name = form.elements.name.value.trim();
  const password = form.elements.password.value;
  said.textContent = 'One moment …';
  try {
    const response = await fetch('v1/invitations/accept', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, password, ...(name !== '' && { name }) }),
    });
    const answer = await response.json();
    if (response.ok) {
      form.hidden = true;
      said.textContent = 'Welcome to ' + answer.organization + '. You can log in now as ' + answer.email + '.';
    } else {
      const { message, details } = answer.error;
      said.textContent = details.hint === undefined ? message : message + '. ' + details.hint;
    }
  } catch {
    said.textContent = 'The server could not be reached. Try again.';
  }
});
`;

export const invitationPage: Page = {
  path: invitationPath,
  title: 'Invitation to HatiData',
  style: formStyle,
  script,
  body,
};
