import type { EngineLink } from '../engine/pool/link.ts';
import type { HatiError } from '../errors.ts';
import { parameterStatus } from '../wire/backend-messages.ts';
import { laneApplicationName } from './engine-session.ts';
import { reportedPath, unsafeParameter } from './engine-parameters.ts';
import type { SearchedSchemas } from './searched-schemas.ts';

export interface ReportedParametersParts {
  /** What the client was told of the engine's settings. */
  readonly reported: Map<string, string>;
  readonly searched: SearchedSchemas;
  /** The session began READ ONLY. */
  readonly isClamped: boolean;
}

/** The engine's settings that PostgreSQL reports by itself, as the client knows them. */
export class ReportedParameters {
  private readonly parts: ReportedParametersParts;
  /** Those of a connection of which the client knows all. */
  private told: ReadonlyMap<string, string> | undefined;

  constructor(parts: ReportedParametersParts) {
    this.parts = parts;
  }

  get applicationName(): string | undefined {
    return this.parts.reported.get('application_name');
  }

  /** @returns the messages that tell the client what is different on this connection. */
  attached(link: EngineLink): readonly Buffer[] {
    if (link.parameters === this.told) return [];
    this.told = link.parameters;
    const { reported } = this.parts;
    const messages: Buffer[] = [];
    for (const [name, value] of link.parameters) {
      if (reported.get(name) === value || value === laneApplicationName) continue;
      reported.set(name, value);
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
    this.parts.reported.set(name, value);
    const path = reportedPath(body);
    if (path !== undefined) this.parts.searched.addReported(path);
    const unsafe = unsafeParameter(body, this.parts.isClamped);
    if (unsafe !== undefined && link !== undefined) link.isRetired = true;
    return unsafe;
  }
}
