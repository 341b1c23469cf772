/**
 * What initdb, postgres and the dynamic loader print when they cannot go on, turned into one sentence with a way out.
 *
 * These programs have no machine-readable error channel before a server runs, so their text (always in the C locale)
 * is all there is. Whatever is not recognised is passed on as it was printed.
 */
interface Symptom {
  readonly pattern: RegExp;
  readonly sentence: (match: RegExpMatchArray) => string;
}

const symptoms: readonly Symptom[] = [
  {
    // Before the disk: the kernel's word for it is ENOSPC as well.
    pattern: /could not create semaphores/,
    sentence: () =>
      'the system has no semaphores left. End other database servers, or raise the limit (kern.sysv.semmns on macOS)',
  },
  {
    pattern: /No space left on device|Disk quota exceeded/i,
    sentence: () =>
      'the disk is full. Free some space there and start again; nothing that was acknowledged is lost',
  },
  {
    pattern: /error while loading shared libraries: ([^:\s]+)/,
    sentence: (match) =>
      `the system library ${match[1]} is missing. Run "npm rebuild" if it belongs to PostgreSQL, else install it with your system's package manager`,
  },
  {
    pattern: /version [`']?(GLIBC_[\d.]+)'? not found/,
    sentence: (match) =>
      `this system's C library is too old (${match[1]} is needed). Use a newer system, or an engine of your own with --engine`,
  },
  {
    pattern: /pre-existing shared memory block .* is still in use/,
    sentence: () =>
      'processes of an earlier server still hold its shared memory. End the remaining "postgres:" processes of this data directory and start again',
  },
  {
    pattern: /could not (?:create|map|resize) .*shared memory|Cannot allocate memory/,
    sentence: () =>
      'the system does not give it the memory it needs (about 200 MB). Raise the memory limit of this machine or container',
  },
  {
    pattern:
      /database files are incompatible with server|incompatible with (?:this version|server)/,
    sentence: () =>
      'the data directory was made by another build of PostgreSQL. Dump it with the version that made it, or move the directory away to start empty',
  },
  {
    pattern: /has (?:invalid permissions|wrong ownership)/,
    sentence: () => 'its data directory must belong to the user that runs it, with mode 0700',
  },
  {
    pattern: /could not locate a valid checkpoint record|invalid primary checkpoint record/,
    sentence: () =>
      'the data directory is damaged (its last checkpoint cannot be read). Restore it from a backup, or move it away to start empty',
  },
  {
    pattern: /Permission denied|Operation not permitted|Read-only file system/i,
    sentence: () => 'it may not read or write one of its files',
  },
];

/** `what` is the start of the sentence: "PostgreSQL could not be started in /x". */
export function explain(what: string, output: readonly string[]): string {
  const text = output.join('\n');
  for (const { pattern, sentence } of symptoms) {
    const match = text.match(pattern);
    if (match !== null) return `${what}: ${sentence(match)}.\n${lastLines(output)}`.trimEnd();
  }
  return `${what}.\n${lastLines(output)}`.trimEnd();
}

function lastLines(output: readonly string[]): string {
  return output
    .filter((line) => line.trim() !== '')
    .slice(-6)
    .map((line) => `  ${line}`)
    .join('\n');
}
