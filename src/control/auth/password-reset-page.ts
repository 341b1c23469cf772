import { longestPassword, shortestPassword } from '../../api/fields.ts';
import { formPage } from '../http/form-page.ts';

/** Where the link of a mail leads. */
export const passwordResetPath = '/password-reset';

export const passwordResetPage = formPage({
  path: passwordResetPath,
  title: 'A new password on HatiData',
  fields: `
<label>New password <input name="new_password" type="password" autocomplete="new-password" maxlength="${longestPassword}" required></label>
<p>${shortestPassword} characters or more. You will be logged out wherever you are logged in.</p>
`,
  button: 'Change it',
  action: 'v1/auth/password/reset',
  done: 'Done. You can log in with it now.',
});
