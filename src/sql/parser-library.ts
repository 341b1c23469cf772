/**
 * The parser library, with V8 kept from optimising its WebAssembly: the flags count when the module is compiled, so they
 * are set before the library is imported.
 *
 * The grammar is one huge function: compiling it with the optimising compiler takes some 600 MB for a second or two,
 * and makes parsing 22 µs in place of 30 µs. docs/decisions/0009-baseline-compiled-parser.md has the figures.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-wasm-tier-up');
setFlagsFromString('--no-wasm-dynamic-tiering');

export const { hasSqlDetails, loadModule, parseSync, scanSync } = await import('libpg-query');
