import { randomInt } from 'node:crypto';

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';
const idLength = 12;

/** Lower-case letters and digits, from the system's source of randomness. */
export function randomCharacters(length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}

/** @param prefix of its kind, such as `org_` */
export function newId(prefix: string): string {
  return prefix + randomCharacters(idLength);
}
