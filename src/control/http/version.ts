import { HatiError } from '../../errors.ts';

/** @param wanted the version in If-Match; undefined where the caller does not mind. */
export function refuseOtherVersion(version: number, wanted: number | undefined): void {
  if (wanted !== undefined && wanted !== version)
    throw new HatiError('version_changed', { params: { version }, details: { version } });
}
