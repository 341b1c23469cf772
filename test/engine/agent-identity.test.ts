/** `hatidata.agent_id()` tells triggers and policies who acts, whatever code an admin key runs. Both kinds of engine. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepareEngine } from '../../src/engine/prepare.ts';
import { queryUrl, startOwnPostgres, type OwnPostgres } from '../fixtures/own-postgres.ts';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';

const kinds = ['embedded', 'own'] as const;

describe.each(kinds)('in an %s engine', (kind) => {
  let own: OwnPostgres | undefined;
  let proxy: TestProxy;
  let admin: pg.Client;
  let mallory: pg.Client;
  let reader: pg.Client;

  beforeAll(async () => {
    if (kind === 'own') {
      own = await startOwnPostgres();
      await queryUrl(
        own.url,
        `CREATE SCHEMA app;
         CREATE TABLE app.journal (who text, what text);
         CREATE TABLE app.orders (id int, owner text);
         CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
           $$ BEGIN INSERT INTO app.journal VALUES (hatidata.agent_id(), TG_OP); RETURN NULL; END $$;
         CREATE TRIGGER note AFTER INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION app.note()`,
      );
      const { urls } = await prepareEngine(own.url, { dryRun: false, newPasswords: false });
      await queryUrl(
        own.url,
        `ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY;
         CREATE POLICY mine ON app.orders USING (owner = (SELECT hatidata.agent_id())) WITH CHECK (true)`,
      );
      proxy = await startTestProxy({
        engine: { kind: 'url', url: urls.writer!, readerUrl: urls.reader! },
      });
    } else {
      proxy = await startTestProxy();
    }
    admin = await proxy.client();
    const key = async (agent: string, scope: string): Promise<string> =>
      (await admin.query('SELECT create_api_key($1, $2)', [agent, scope])).rows[0].api_key;
    mallory = await proxy.client(await key('mallory', 'admin'));
    reader = await proxy.client(await key('reader', 'readonly'));
  });
  afterAll(async () => {
    await proxy.stop();
    await own?.stop();
  });

  const whoIs = async (client: pg.Client): Promise<string | null> =>
    (await client.query('SELECT hatidata.agent_id() AS who')).rows[0].who;

  test.each([
    "DO $$ BEGIN PERFORM set_config('hatidata.agent_id', 'alice', false); END $$",
    "DO $$ BEGIN EXECUTE 'SET hatidata.' || 'agent_id = alice'; END $$",
    "DO $$ BEGIN EXECUTE 'RESET ALL'; PERFORM set_config('hatidata.agent_id', 'alice', false); END $$",
    "DO $$ BEGIN EXECUTE 'ALTER ROLE hatidata_writer SET hatidata.agent_id = alice'; END $$",
    "CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT 'alice' $$",
    'DISCARD ALL',
  ])('%s does not change it', async (forgery) => {
    await mallory.query(forgery).catch((error: unknown) => {
      expect(error).toMatchObject({ code: '42501' });
    });
    expect(await whoIs(mallory)).toBe('mallory');
    // What it found changed, it put right.
    const setting = await mallory.query("SELECT current_setting('hatidata.agent_id') AS who");
    expect(setting.rows).toEqual([{ who: 'mallory' }]);
    const next = await proxy.client();
    expect(await whoIs(next)).not.toBe('alice');
    await next.end();
  });

  test('nor inside the transaction, the function and the statement that forge it', async () => {
    await mallory.query('CREATE SCHEMA IF NOT EXISTS lab');
    await mallory.query(
      `CREATE FUNCTION lab.forged() RETURNS text LANGUAGE plpgsql SET search_path = lab AS
       $$ BEGIN PERFORM pg_catalog.set_config('hatidata.agent_id', 'alice', true); RETURN hatidata.agent_id(); END $$`,
    );
    await mallory.query('BEGIN');
    const { rows } = await mallory.query(
      'SELECT lab.forged() AS inside, hatidata.agent_id() AS outside',
    );
    expect(rows).toEqual([{ inside: 'mallory', outside: 'mallory' }]);
    await mallory.query('ROLLBACK');
  });

  test.each([
    "CREATE OR REPLACE FUNCTION hatidata.agent_id() RETURNS text LANGUAGE sql AS $$ SELECT 'alice' $$",
    "CREATE FUNCTION hatidata.other() RETURNS text LANGUAGE sql AS $$ SELECT 'alice' $$",
    'DROP FUNCTION hatidata.agent_id()',
    'ALTER FUNCTION hatidata.agent_id() RENAME TO old',
    'ALTER FUNCTION hatidata.agent_id() SET search_path = public',
    'DROP SCHEMA hatidata CASCADE',
    'ALTER SCHEMA hatidata RENAME TO old',
    'DROP EXTENSION plpgsql CASCADE',
  ])('%s is refused by the engine', async (sql) => {
    await expect(mallory.query(sql)).rejects.toMatchObject({ code: '42501' });
    expect(await whoIs(mallory)).toBe('mallory');
  });

  test('readonly keys read tables with a policy that asks it', async () => {
    await mallory.query(`
      CREATE TABLE public.mine (owner text);
      INSERT INTO public.mine VALUES ('reader'), ('other');
      ALTER TABLE public.mine ENABLE ROW LEVEL SECURITY;
      CREATE POLICY mine ON public.mine USING (owner = (SELECT hatidata.agent_id()))`);
    expect((await reader.query('SELECT * FROM public.mine')).rows).toEqual([{ owner: 'reader' }]);
    expect(await whoIs(reader)).toBe('reader');
  });

  test.runIf(kind === 'own')('a trigger and a policy of the database see who acts', async () => {
    await mallory.query(
      `DO $$ BEGIN PERFORM set_config('hatidata.agent_id', 'alice', false);
                     INSERT INTO app.orders VALUES (1, 'mallory'), (2, 'reader'); END $$`,
    );
    const journal = await queryUrl(own!.url, 'SELECT DISTINCT who FROM app.journal');
    expect(journal.rows).toEqual([{ who: 'mallory' }]);
    expect((await mallory.query('SELECT id FROM app.orders')).rows).toEqual([{ id: 1 }]);
    expect((await reader.query('SELECT id FROM app.orders')).rows).toEqual([{ id: 2 }]);
  });

  test.runIf(kind === 'own')(
    'who does not come through HatiData is nobody, whatever it claims',
    async () => {
      const { rows } = await queryUrl(
        `${own!.url}${own!.url.includes('?') ? '&' : '?'}options=-c%20hatidata.agent_id%3Dalice`,
        "SELECT hatidata.agent_id() AS who, current_setting('hatidata.agent_id') AS claim",
      );
      expect(rows).toEqual([{ who: null, claim: 'alice' }]);
    },
  );
});
