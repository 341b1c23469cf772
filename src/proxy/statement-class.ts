import type { ActClass, Statement } from '../sql/statement.ts';

/** What an act asks of a key, roughly: a statement of several acts is counted as the one that asks most. */
const weights: Readonly<Record<ActClass, number>> = {
  read: 1,
  transaction: 2,
  object: 3,
  setting: 4,
  reset: 5,
  unlisten: 6,
  message: 7,
  readLock: 1.5,
  lock: 8,
  write: 9,
  maintenance: 10,
  transactionReadWrite: 11,
  table: 12,
  tableChange: 13,
  cascade: 14,
  definition: 15,
  code: 16,
  routine: 17,
  rights: 18,
  twoPhase: 19,
  installation: 20,
  identity: 21,
  roles: 22,
  serverAccess: 23,
  unknown: 24,
};

/** The class that a statement is counted under; `none` for one without acts. */
export function classOf({ acts }: Statement): ActClass | 'none' {
  let heaviest: ActClass | 'none' = 'none';
  let weight = 0;
  for (const act of acts) {
    if (weights[act.class] > weight) {
      heaviest = act.class;
      weight = weights[heaviest];
    }
  }
  return heaviest;
}
