/**
 * `unenforced-process.ts CONFIG`: our proxy with a pipeline that lets every text through unread, to see what reading and judging
 * cost. An assembly of the bench: the product has no such switch. Prints the port.
 */
import { serve } from '../../src/serve.ts';
import type { Config } from '../../src/config.ts';
import type { Step, StepResult } from '../../src/proxy/pipeline.ts';
import { createLogger } from '../../src/shared/log.ts';
import type { ClassifiedText } from '../../src/sql/statement.ts';

/** Every text is taken for this one, which leaves nothing in its session. */
const plainRead = Buffer.from('SELECT 1');
/** Statements that are prepared are told apart by theirs. */
const known = new Map<string, ClassifiedText>();
const mostKnown = 10_000;

const letThrough: Step = ({ text, parts }) => {
  const key = text.toString('latin1');
  const before = known.get(key);
  if (before !== undefined) return forward(before);
  if (known.size === mostKnown) known.clear();
  const read = parts.reader.read(plainRead);
  if (read instanceof Promise) throw new Error('the parser is not loaded');
  const own = { ...read };
  known.set(key, own);
  return forward(own);
};

function forward(classified: ClassifiedText): StepResult {
  return { action: 'forward', text: undefined, endsPrepared: false, classified };
}

const config = JSON.parse(process.argv[2]!) as Config;
const log = createLogger({ level: config.log.level });
const proxy = await serve(config, { log, steps: [letThrough] });
process.once('SIGTERM', () => void proxy.stop());
process.send!(proxy.addresses[0]!.port);
await proxy.stopped;
process.disconnect();
