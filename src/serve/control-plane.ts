/** One process's part of the control plane: between its HTTP listener and the store. */
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { Acts } from '../control/act.ts';
import { Provisioner } from '../control/environments/provisioner.ts';
import {
  environmentBindings,
  invalidEngine,
  type EngineCheck,
} from '../control/environments/routes.ts';
import { EnvironmentService } from '../control/environments/service.ts';
import { PasswordResets } from '../control/auth/password-reset.ts';
import { passwordResetPage } from '../control/auth/password-reset-page.ts';
import { Passwords } from '../control/auth/passwords.ts';
import { authBindings } from '../control/auth/routes.ts';
import { AuthService } from '../control/auth/service.ts';
import { Sessions } from '../control/auth/sessions.ts';
import { SigningKeys } from '../control/auth/signing-keys.ts';
import { AccessTokens } from '../control/auth/tokens.ts';
import { ControlServer } from '../control/http/server.ts';
import { Job } from '../control/job.ts';
import { KeyAuthenticator } from '../control/keys/authenticator.ts';
import { StoreKeyDirectory } from '../control/keys/directory.ts';
import { KeyHasher } from '../control/keys/hasher.ts';
import { KeyTimes } from '../control/keys/expiry.ts';
import { hearEndings } from '../control/keys/hear-endings.ts';
import { keyBindings } from '../control/keys/routes.ts';
import { MadeKeys } from '../control/keys/made-keys.ts';
import { KeyService } from '../control/keys/service.ts';
import { Mailer } from '../control/mail/mailer.ts';
import { Once } from '../control/once.ts';
import { organizationBindings } from '../control/organizations/routes.ts';
import { OrganizationService } from '../control/organizations/service.ts';
import { SsoLogins } from '../control/single-sign-on/logins.ts';
import { Providers } from '../control/single-sign-on/provider.ts';
import { ssoBindings } from '../control/single-sign-on/routes.ts';
import { SsoService } from '../control/single-sign-on/service.ts';
import { Acceptances } from '../control/users/acceptance.ts';
import { InvitationMail } from '../control/users/invitation.ts';
import { invitationPage } from '../control/users/invitation-page.ts';
import { invitationBindings } from '../control/users/invitation-routes.ts';
import { signUpBindings } from '../control/users/sign-up.ts';
import { userBindings } from '../control/users/routes.ts';
import { UserService } from '../control/users/service.ts';
import { Dispatcher } from '../control/webhooks/dispatcher.ts';
import { dueChannel } from '../control/webhooks/outbox.ts';
import { webhookBindings } from '../control/webhooks/routes.ts';
import { WebhookService } from '../control/webhooks/service.ts';
import { connectControlDatabase } from '../database/connect.ts';
import { StoreChannel } from '../database/store-channel.ts';
import type { SecretId } from '../ports.ts';
import { provisionEnvironment } from '../engine/embedded/bootstrap.ts';
import { loadSecrets } from '../engine/embedded/secrets.ts';
import { checkEngineLogins, EngineUnusable } from '../engine/logins.ts';
import { systemClock } from '../shared/clock.ts';
import { SecretBox } from '../shared/secret-box.ts';
import type { Logger } from '../shared/log.ts';
import type { Logins } from './logins.ts';
import { Started } from './started.ts';
import type { Worker, WorkerOptions, WorkerOrder } from './worker.ts';

/** They may hold secrets. */
const forgetAnswersEveryMs = 600_000;

export async function startControlPlane(
  { config, logins, secretKey, place, address, certificate }: WorkerOrder,
  { log, observation, clock = systemClock }: WorkerOptions,
): Promise<Worker> {
  const started = new Started();
  try {
    const control = connectControlDatabase(logins.control, log);
    started.add(() => control.close());
    const { db } = control;
    const box = new SecretBox(Buffer.from(secretKey!, 'base64'));
    const acts = new Acts({ db, clock });
    const once = new Once({ db, acts, box, clock });
    const hasher = new KeyHasher(() => undefined, place.count);
    await hasher.start();
    const outageMs = config.keys.outageSeconds * 1_000;
    const directory = new StoreKeyDirectory({ db, hasher, outageMs, clock, log });
    started.add(() => directory.flushUses());
    const channel = new StoreChannel({ config: logins.control, log });
    hearEndings(channel, directory);
    const allowsPrivate = config.api?.webhookPrivateTargets ?? false;
    const dispatcher = new Dispatcher({ db, acts, box, allowsPrivate, clock, log });
    channel.receive(dueChannel, () => dispatcher.wake());
    started.add(() => channel.stop());
    await channel.start();
    const onEnded = (secrets: readonly SecretId[]) =>
      secrets.forEach((secret) => directory.end(secret));
    const keys = new KeyService(hasher, onEnded);
    const provisioner = new Provisioner({ db, provision: provisioning(config, logins), log });
    started.add(() => provisioner.stop());
    const signingKeys = new SigningKeys({ db, acts, box, clock });
    const tokens = new AccessTokens(signingKeys, clock);
    const sessions = new Sessions({ db, tokens, clock });
    const passwords = new Passwords(hasher);
    const auth = new AuthService({ db, passwords, sessions, box });
    const mailer = config.mail && new Mailer(config.mail);
    const publicUrl = config.api?.publicUrl ?? '';
    const mail = new InvitationMail({ mailer, publicUrl, log });
    const resets = new PasswordResets({ db, passwords, mailer, publicUrl, clock, log });
    started.add(() => resets.stop());
    const providers = new Providers({
      allowsPrivate: config.api?.ssoPrivateIssuers ?? false,
      clock,
    });
    const organizations = new OrganizationService();
    const server = new ControlServer({
      db,
      acts,
      once,
      authenticators: {
        key: new KeyAuthenticator({ db, directory }).authenticate,
        token: sessions.authenticate,
      },
      bindings: [
        ...environmentBindings({
          db,
          environments: new EnvironmentService(box),
          address,
          provisioner: isEmbedded(logins) ? provisioner : undefined,
          checkEngine: config.api?.engineUrls === true ? checkEngine(log) : undefined,
        }),
        ...authBindings({ db, auth, sessions, signingKeys, resets }),
        ...ssoBindings({
          db,
          sso: new SsoService({ db, providers, box }),
          logins: new SsoLogins({ db, providers, sessions, box, publicUrl }),
        }),
        ...keyBindings({ db, keys, box, clock }),
        ...webhookBindings({ db, webhooks: new WebhookService(box, allowsPrivate) }),
        ...organizationBindings({ db, organizations }),
        ...userBindings({ db, users: new UserService(new MadeKeys(onEnded)), mail }),
        ...invitationBindings(new Acceptances({ db, passwords, clock })),
        ...signUpBindings({
          passwords,
          sessions,
          organizations,
          isAllowed: config.api?.signup ?? false,
        }),
      ],
      pages: [invitationPage, passwordResetPage],
      certificate,
      trustedProxies: config.api?.trustedProxies ?? [],
      clock,
      log,
    });
    started.add(() => server.close());
    await server.prepare();
    if (isEmbedded(logins)) provisioner.wake();
    const forgetting = new Job({
      name: 'old answers',
      everyMs: forgetAnswersEveryMs,
      work: () => once.forgetOld(),
      log,
    });
    const keyTimes = new KeyTimes({ db, acts, keys, box, clock, log });
    started.add(() => dispatcher.stop());
    started.add(() => keyTimes.stop());
    started.add(() => forgetting.stop());
    dispatcher.start();
    keyTimes.start();
    forgetting.start();
    return {
      listen: async (sockets) => {
        for (const socket of sockets) await server.listen(socket);
        observation.readiness.phase = 'serving';
      },
      sessionCount: 0,
      retire: () => server.close(),
      stop: () => started.stop(),
    };
  } catch (error) {
    await started.stop();
    throw error;
  }
}

/** The control store is in an embedded server, and so can be the databases of environments. */
function isEmbedded({ control }: Logins): boolean {
  return control.host !== undefined;
}

function provisioning({ directory }: Config, { control }: Logins) {
  return async (environment: string): Promise<void> => {
    const { secrets } = await loadSecrets(join(directory, 'secrets.json'));
    const endpoint = { host: control.host!, port: Number(control.port) };
    await provisionEnvironment(endpoint, secrets, environment);
  };
}

/** As the start looks at the engine of the configuration. */
function checkEngine(log: Logger): EngineCheck {
  return async ({ url, reader_url: readerUrl }) => {
    const writer = { connectionString: url };
    const reader = readerUrl === undefined ? writer : { connectionString: readerUrl };
    try {
      await checkEngineLogins({ writer, reader }, log);
    } catch (error) {
      if (error instanceof EngineUnusable) throw invalidEngine(error.message);
      throw invalidEngine('it does not let us in');
    }
  };
}
