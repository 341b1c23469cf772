import { runRows } from './run-rows.ts';
import { sections } from './sections.ts';

runRows(sections.A, 'hostile');
