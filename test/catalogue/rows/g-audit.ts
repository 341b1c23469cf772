/** G: what is recorded, and cannot be changed or forged. */
import { expect } from 'vitest';
import { frontend as f } from '../../fixtures/raw-client.ts';
import type { Row } from '../model.ts';
import { exchange } from '../run-rows.ts';
import { type World } from '../world.ts';
import { inStore, loginAs, records } from '../keys.ts';

/** Claims that would break a line, a terminal or a parser where they are shown or stored. */
const claims: readonly (readonly [string, string])[] = [
  ['a newline and a forged record', 'x\n{"level":60,"msg":"forged"}'],
  ['terminal escapes', '\u001b[2J\u001b]0;x\u0007'],
  ['right-to-left override', '\u202egnp.exe'],
  ['a character cut in two at the longest claim', `${'x'.repeat(199)}😀`],
  ['4 KB', 'x'.repeat(4_000)],
  ['quotes and SQL', `'; DROP TABLE hatidata.iam_audit; --"`],
  ['an unpaired surrogate, as JSON spells it', '\\ud800'],
];

export const audit: readonly Row[] = [
  {
    id: 'G11',
    title: 'logins, acts on keys and refusals leave a trace',
    cases: [
      {
        name: 'every login and every act, with who and from where',
        run: async (world) => {
          await world.admin.query("SELECT create_api_key('traced', 'readonly')");
          const key: string = (await world.admin.query("SELECT rotate_api_key('traced')")).rows[0]
            .api_key;
          expect(await loginAs(world.proxy.port, key)).toBe('Z I');
          await world.admin.query("SELECT revoke_api_key('traced')");
          expect(await loginAs(world.proxy.port, key, { application_name: 'too late' })).toMatch(
            /^E 28P01/,
          );
          const ofTraced = (): Promise<Record<string, unknown>[]> =>
            records(
              world,
              "target = 'traced' OR actor = 'traced' OR detail ->> 'applicationName' = 'too late'",
            );
          await expect.poll(async () => (await ofTraced()).length, { timeout: 10_000 }).toBe(5);
          expect(
            (await ofTraced())
              .map(({ action, source }) => `${String(action)} ${String(source)}`)
              .toSorted(),
          ).toEqual(
            ['key.created', 'key.revoked', 'key.rotated', 'login.accepted', 'login.refused'].map(
              (action) => `${action} 127.0.0.1`,
            ),
          );
        },
      },
      {
        name: 'a refusal is one line of the log, with its reason and without the text',
        run: async (world) => {
          const client = await world.login('readonly');
          const from = world.proxy.logged().length;
          await exchange(client, [f.query("DELETE FROM u WHERE ssn = 'canary-4711'")]);
          await exchange(client, [f.parse('', "SELECT pg_notify('ch', 'canary-4711')"), f.sync()]);
          const lines = world.proxy
            .logged()
            .slice(from)
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line));
          expect(lines.filter(({ msg }) => msg === 'refused')).toMatchObject([
            {
              code: 'readonly_scope',
              sqlstate: '42501',
              blame: 'policy',
              agent: 'agent-readonly',
              source: '127.0.0.1',
            },
            { code: 'function_not_allowed', sqlstate: '42501', agent: 'agent-readonly' },
          ]);
          expect(world.proxy.logged().slice(from)).not.toContain('canary-4711');
          client.close();
        },
      },
    ],
  },
  {
    id: 'G12',
    title: 'records are not changed afterwards',
    cases: [
      'DELETE FROM hatidata.iam_audit',
      'UPDATE hatidata.iam_audit SET actor = NULL',
      'TRUNCATE hatidata.iam_audit',
      'MERGE INTO hatidata.iam_audit a USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE',
      'WITH gone AS (DELETE FROM hatidata.iam_audit RETURNING 1) SELECT 1',
    ].map((text) => ({
      name: `${text}, as the role of the store`,
      run: async (world) => {
        const before = await records(world, 'true');
        await expect(inStore(world, (store) => store.query(text))).rejects.toMatchObject({
          code: '42501',
        });
        expect((await records(world, 'true')).slice(0, before.length)).toEqual(before);
        for (const who of ['readonly', 'admin'] as const) {
          const client = await world.login(who);
          expect((await exchange(client, [f.query(text)])).at(-2)).toMatch(
            /^E (42501|42P01|0A000|3F000) /,
          );
          client.close();
        }
      },
    })),
  },
  {
    id: 'G13',
    title: 'claims that break what shows or stores them',
    cases: [
      ...claims.map(([name, claim]) => ({
        name,
        run: async (world: World) => {
          const mark = `after ${name}`;
          const parameters = {
            application_name: claim,
            // Longer ones are refused.
            ...(claim.length < 64 && { hatidata_agent_id: claim }),
          };
          expect(await loginAs(world.proxy.port, world.keys.readonly, parameters)).toBe('Z I');
          expect(await loginAs(world.proxy.port, 'wrong', parameters)).toMatch(/^E 28P01/);
          expect(
            await loginAs(world.proxy.port, world.keys.readonly, { application_name: mark }),
          ).toBe('Z I');
          // Whoever comes after is still recorded.
          await expect
            .poll(
              async () => (await records(world, `detail ->> 'applicationName' = '${mark}'`)).length,
              { timeout: 15_000 },
            )
            .toBe(1);
          for (const line of world.proxy.logged().trim().split('\n')) {
            expect(JSON.parse(line).msg).not.toBe('forged');
            expect(line).not.toMatch(/\p{Cc}|\u202e/u);
          }
        },
      })),
      {
        name: 'agents with control characters are not made',
        run: async (world) => {
          for (const agent of ['a\nb', 'a\u001b[2Jb', 'a\u0085b', '', ' ', 'x'.repeat(64)]) {
            await expect(
              world.admin.query('SELECT create_api_key($1, $2)', [agent, 'readonly']),
            ).rejects.toMatchObject({ code: '22023' });
          }
        },
      },
      {
        name: 'a statement of 10 MB that is refused is not in the log',
        run: async (world) => {
          const client = await world.login('readonly');
          const from = world.proxy.logged().length;
          await exchange(client, [
            f.query(`DELETE FROM u WHERE ssn = '${'\u001b\n'.repeat(5_000_000)}'`),
          ]);
          expect(world.proxy.logged().length - from).toBeLessThan(10_000);
          client.close();
        },
      },
    ],
  },
];
