import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { runCommand } from '../../src/cli/program.ts';
import type { Session } from '../../src/cli/api/session-file.ts';
import type { Role } from '../../src/api/permissions.ts';
import type { SignedIn, TestControlPlane } from '../fixtures/control-plane.ts';
import type { Outcome } from './hati.ts';

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/** Somebody who uses the commands from a home of his own, outside of all projects. */
export class Person {
  readonly home = mkdtempSync(join(tmpdir(), 'hati-api-'));
  readonly cwd: string;
  readonly sessionPath: string;

  /** @param project in which he works; without it, outside of all of them. */
  constructor(project?: string) {
    this.cwd = project ?? join(this.home, 'work');
    mkdirSync(this.cwd, { recursive: true });
    this.sessionPath =
      project === undefined
        ? join(this.home, '.hatidata', 'session.json')
        : join(project, '.hati', 'session.json');
  }

  async run(args: readonly string[], { env = {}, stdin = '' }: CliOptions = {}): Promise<Outcome> {
    const [stdout, stderr] = [new Collected(), new Collected()];
    const code = await runCommand(args, {
      env,
      cwd: this.cwd,
      home: this.home,
      stdin: Readable.from([stdin]),
      stdout,
      stderr,
      workerEntry: '',
      self: { execPath: process.execPath, args: [] },
    });
    return { code, stdout: stdout.text, stderr: stderr.text };
  }

  /** What it printed on standard output. @throws when it failed */
  async out(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
    return stdout.trimEnd();
  }

  // oxlint-disable-next-line typescript/no-explicit-any
  async json(...args: readonly string[]): Promise<any> {
    return JSON.parse(await this.out(...args, '--json'));
  }

  /** What it said to the person when it failed. */
  async fault(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    if (code === 0 || stdout !== '') throw new Error(`it did not fail: ${stdout}`);
    return `${code} ${stderr.trimEnd()}`;
  }

  async logIn({ base }: TestControlPlane, { email, password }: SignedIn): Promise<void> {
    const args = ['login', '--url', base, '--email', email, '--password-stdin'];
    const { code, stderr } = await this.run(args, { stdin: `${password}\n` });
    if (code !== 0) throw new Error(stderr);
  }

  get session(): Session {
    return JSON.parse(readFileSync(this.sessionPath, 'utf8')) as Session;
  }

  remove(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** A person with this role, logged in. */
export async function personWith(
  plane: TestControlPlane,
  role?: Role,
): Promise<Person & { readonly who: SignedIn }> {
  const who = await plane.signIn(role);
  const person = Object.assign(new Person(), { who });
  await person.logIn(plane, who);
  return person;
}

class Collected extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}

/** Persons of a test file, and what is left of them at its end. */
export class People {
  private readonly all: Person[] = [];

  /** @param project in which he works */
  stranger(project?: string): Person {
    const person = new Person(project);
    this.all.push(person);
    return person;
  }

  async loggedIn(
    plane: TestControlPlane,
    role?: Role,
  ): Promise<Person & { readonly who: SignedIn }> {
    const person = await personWith(plane, role);
    this.all.push(person);
    return person;
  }

  remove(): void {
    for (const person of this.all.splice(0)) person.remove();
  }
}
