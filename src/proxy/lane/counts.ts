/**
 * Why a lane's connection took no more statements:
 * - `slow`: the one at work held up those behind it;
 * - `stalled`: its client did not read;
 * - `cancelled`: it was cancelled, or its client went;
 * - `lost`: the connection broke;
 * - `idle`: nobody used it; `old`: for a long time; `wanted`: sessions waited for connections of their own.
 */
export const laneEnds = ['slow', 'stalled', 'cancelled', 'lost', 'idle', 'old', 'wanted'] as const;
export type LaneEnd = (typeof laneEnds)[number];

/** Since the start. */
export class LaneCounts {
  statements = 0;
  /** Of those, how many were sent again elsewhere. */
  reissued = 0;
  readonly ended: Record<LaneEnd, number> = {
    slow: 0,
    stalled: 0,
    cancelled: 0,
    lost: 0,
    idle: 0,
    old: 0,
    wanted: 0,
  };
}
