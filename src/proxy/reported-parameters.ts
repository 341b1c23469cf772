import type { EngineLink } from '../engine/pool/link.ts';
import type { HatiError } from '../errors.ts';
import { parameterStatus } from '../wire/backend-messages.ts';
import { reportedPath, unsafeParameter } from './engine-parameters.ts';
import { laneApplicationName } from './engine-session.ts';
import type { SearchedSchemas } from './searched-schemas.ts';

export interface ReportedParametersParts {
  /** What the engine reports to all sessions that begin like this one. */
  readonly shared: ReadonlyMap<string, string>;
  /** What is set for this one. */
  readonly own: ReadonlyMap<string, string>;
  readonly searched: SearchedSchemas;
  /** The session began READ ONLY. */
  readonly isClamped: boolean;
}

/** The engine's settings that PostgreSQL reports by itself, as the client knows them. */
export class ReportedParameters {
  private readonly parts: ReportedParametersParts;
  /** Where it differs from what is shared. Replaced, never changed. */
  private own: ReadonlyMap<string, string>;
  /** Those of a connection of which the client knows all. */
  private told: ReadonlyMap<string, string> | undefined;

  constructor(parts: ReportedParametersParts) {
    this.parts = parts;
    this.own = parts.own;
  }

  get applicationName(): string | undefined {
    return this.get('application_name');
  }

  /** What the client is told when it begins. */
  get all(): ReadonlyMap<string, string> {
    return new Map([...this.parts.shared, ...this.own]);
  }

  /** @returns the messages that tell the client what is different on this connection. */
  attached(link: EngineLink): readonly Buffer[] {
    if (link.parameters === this.told) return [];
    this.told = link.parameters;
    const messages: Buffer[] = [];
    for (const [name, value] of link.parameters) {
      if (this.get(name) === value || value === laneApplicationName) continue;
      this.set(name, value);
      // It has its agent's name in front.
      if (name !== 'application_name') messages.push(parameterStatus(name, value));
    }
    return messages;
  }

  /**
   * A ParameterStatus that is on its way to the client.
   * @returns why the session can't go on: what we read must be what the engine reads.
   */
  changed(link: EngineLink | undefined, body: Buffer): HatiError | undefined {
    link?.noteParameter(body);
    this.told = link?.parameters;
    const [name = '', value = ''] = body.toString('utf8').split('\0');
    this.set(name, value);
    const path = reportedPath(body);
    if (path !== undefined) this.parts.searched.addReported(path);
    const unsafe = unsafeParameter(body, this.parts.isClamped);
    if (unsafe !== undefined && link !== undefined) link.isRetired = true;
    return unsafe;
  }

  private get(name: string): string | undefined {
    return this.own.get(name) ?? this.parts.shared.get(name);
  }

  private set(name: string, value: string): void {
    this.own = new Map([...this.own, [name, value]]);
  }
}
