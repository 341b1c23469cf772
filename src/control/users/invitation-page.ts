import { longestPassword, shortestPassword } from '../../api/fields.ts';
import { formPage } from '../http/form-page.ts';

/** Where an invitation's link leads. */
export const invitationPath = '/invitation';

export const invitationPage = formPage({
  path: invitationPath,
  title: 'Invitation to HatiData',
  fields: `
<p>Choose a name and a password. If you have an account under the invited address already, give its password; the name is not needed then.</p>
<label>Name <input name="name" autocomplete="name" maxlength="100"></label>
<label>Password <input name="password" type="password" autocomplete="new-password" maxlength="${longestPassword}" required></label>
<p>A new one has ${shortestPassword} characters or more.</p>
`,
  button: 'Accept',
  action: 'v1/invitations/accept',
  done: 'Welcome to {organization}. You can log in now as {email}.',
});
