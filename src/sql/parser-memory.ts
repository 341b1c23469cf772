/**
 * Keeps V8 from optimising the parser's WebAssembly. Imported before the library is, because the flag counts when the
 * module is compiled.
 *
 * The grammar is one huge function: compiling it with the optimising compiler takes some 600 MB for a second or two,
 * and makes parsing 22 µs in place of 30 µs. docs/decisions/0009-baseline-compiled-parser.md has the figures.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-wasm-tier-up');
setFlagsFromString('--no-wasm-dynamic-tiering');
