import { describe, expect, test } from 'vitest';
import { errorRegistry, HatiError } from '../src/errors.ts';
import { accessErrors } from '../src/errors/access.ts';
import { controlErrors } from '../src/errors/control.ts';
import { engineErrors } from '../src/errors/engine.ts';
import { httpErrors } from '../src/errors/http.ts';
import { limitErrors } from '../src/errors/limits.ts';
import { loginErrors } from '../src/errors/login.ts';
import { protocolErrors } from '../src/errors/protocol.ts';
import { statementErrors } from '../src/errors/statements.ts';
import type { ErrorCode, ErrorDefinition } from '../src/errors.ts';

const entries = Object.entries<ErrorDefinition>(errorRegistry);

describe('the registry', () => {
  test('has each code from one area only', () => {
    const areas = [
      accessErrors,
      controlErrors,
      engineErrors,
      httpErrors,
      limitErrors,
      loginErrors,
      protocolErrors,
      statementErrors,
    ];
    const codes = areas.flatMap((area) => Object.keys(area));
    expect(codes.toSorted()).toEqual(Object.keys(errorRegistry).toSorted());
  });

  test.each(entries)('%s has a SQLSTATE, a status and a text in one line', (_code, definition) => {
    expect(definition.sqlstate).toMatch(/^[0-9A-Z]{5}$/);
    expect(definition.http).toBeGreaterThanOrEqual(400);
    expect(definition.http).toBeLessThan(600);
    expect(definition.text).not.toMatch(/\n|^\s*$/);
  });

  test.each([
    [
      'readonly_scope',
      { verb: 'INSERT' },
      'Permission denied: readonly scope cannot execute INSERT',
    ],
    ['readonly_scope', { verb: 'DDL' }, 'Permission denied: readonly scope cannot execute DDL'],
    ['invalid_api_key', {}, 'Authentication failed: invalid API key'],
    ['statement_too_long', { bytes: 9, limit: 8 }, 'the statement has 9 bytes; the limit is 8'],
  ] as const)('%s %j reads %j', (code: ErrorCode, params, text) => {
    const error = new HatiError(code, { params });
    expect(error.message).toBe(text);
    expect(error.sqlstate).toBe(errorRegistry[code].sqlstate);
  });
});
