import type { Random } from './random.ts';

/** Frames that make a session, changed in one to three places: in their bytes, their lengths, their order. */
type Mutation = (
  frames: readonly Buffer[],
  random: Random,
  others: readonly Buffer[],
) => readonly Buffer[];

const changeAt = (
  frames: readonly Buffer[],
  random: Random,
  change: (frame: Buffer) => Buffer,
): readonly Buffer[] => {
  const at = random.below(frames.length);
  return frames.map((frame, index) => (index === at ? change(Buffer.from(frame)) : frame));
};

const flipBit: Mutation = (frames, random) =>
  changeAt(frames, random, (frame) => {
    const at = random.below(frame.length);
    frame[at] = frame[at]! ^ (1 << random.below(8));
    return frame;
  });

const interestingBytes = [0, 1, 0x27, 0x22, 0x24, 0x3b, 0x5c, 0x7f, 0x80, 0xc0, 0xe2, 0xff];

const setByte: Mutation = (frames, random) =>
  changeAt(frames, random, (frame) => {
    frame[random.below(frame.length)] = random.pick(interestingBytes);
    return frame;
  });

const insertBytes: Mutation = (frames, random) =>
  changeAt(frames, random, (frame) => {
    const at = random.below(frame.length + 1);
    const bytes = Array.from({ length: 1 + random.below(4) }, () => random.pick(interestingBytes));
    return Buffer.concat([frame.subarray(0, at), Buffer.from(bytes), frame.subarray(at)]);
  });

const removeBytes: Mutation = (frames, random) =>
  changeAt(frames, random, (frame) => {
    const at = random.below(frame.length);
    return Buffer.concat([frame.subarray(0, at), frame.subarray(at + 1 + random.below(4))]);
  });

/** The body changes and the length says so: what comes through the framer and is wrong inside. */
const resizeBody: Mutation = (frames, random, others) =>
  changeAt(frames, random, (frame) => {
    if (frame.length < 5) return frame;
    const body = frame.subarray(5);
    const cut = body.subarray(0, random.below(body.length + 1));
    const more = random.chance(0.5) ? random.pick(others).subarray(5, 5 + random.below(20)) : [];
    return framed(frame[0]!, Buffer.concat([cut, Buffer.from(more)]));
  });

/** One byte of the body, with everything else in order. */
const changeBody: Mutation = (frames, random) =>
  changeAt(frames, random, (frame) => {
    if (frame.length > 5) frame[5 + random.below(frame.length - 5)] = random.below(256);
    return frame;
  });

const lengths = [0, 3, 4, 5, 255, 65_535, 0x0fff_ffff, 0x7fff_ffff, -1, -2_147_483_648];

const wrongLength: Mutation = (frames, random) =>
  changeAt(frames, random, (frame) => {
    if (frame.length < 5) return frame;
    const actual = frame.readInt32BE(1);
    const wrong = random.chance(0.5) ? actual + random.pick([-2, -1, 1, 2]) : random.pick(lengths);
    frame.writeInt32BE(wrong | 0, 1);
    return frame;
  });

const changeType: Mutation = (frames, random) =>
  changeAt(frames, random, (frame) => {
    frame[0] = random.chance(0.8)
      ? random.pick([...Buffer.from('QPBDECSHFdcfpX')])
      : random.below(256);
    return frame;
  });

const truncate: Mutation = (frames, random) => {
  const kept = frames.slice(0, 1 + random.below(frames.length));
  const last = kept.at(-1)!;
  return [...kept.slice(0, -1), last.subarray(0, 1 + random.below(last.length))];
};

const duplicate: Mutation = (frames, random) => {
  const at = random.below(frames.length);
  const times = random.chance(0.1) ? 50 : 1 + random.below(3);
  return frames.flatMap((frame, index) =>
    index === at ? Array.from({ length: times + 1 }, () => frame) : [frame],
  );
};

const drop: Mutation = (frames, random) => {
  const at = random.below(frames.length);
  return frames.length === 1 ? frames : frames.filter((_frame, index) => index !== at);
};

const swap: Mutation = (frames, random) => {
  const [a, b] = [random.below(frames.length), random.below(frames.length)];
  return frames.map((frame, index) => {
    if (index === a) return frames[b]!;
    return index === b ? frames[a]! : frame;
  });
};

const spliceOther: Mutation = (frames, random, others) => {
  const at = random.below(frames.length + 1);
  const from = random.below(others.length);
  const piece = others.slice(from, from + 1 + random.below(4));
  return [...frames.slice(0, at), ...piece, ...frames.slice(at)];
};

const mutations: readonly Mutation[] = [
  ...[flipBit, setByte, insertBytes, removeBytes, wrongLength, changeType, truncate],
  ...[resizeBody, resizeBody, changeBody, changeBody, duplicate, drop, swap, spliceOther],
  ...[swap, spliceOther, drop, duplicate],
];

/** @param others frames of all sessions, for what is put in from elsewhere. */
export function mutatedFrames(
  frames: readonly Buffer[],
  others: readonly Buffer[],
  random: Random,
): readonly Buffer[] {
  let mutated = frames;
  for (let changes = 1 + random.below(3); changes > 0; changes -= 1)
    mutated = random.pick(mutations)(mutated, random, others);
  return mutated;
}

function framed(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head[0] = type;
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** The same bytes in other chunks: at a few places, or each by itself. */
export function chunked(bytes: Buffer, random: Random): readonly Buffer[] {
  if (bytes.length < 600 && random.chance(0.2))
    return Array.from(bytes, (byte) => Buffer.from([byte]));
  const cuts = Array.from({ length: 1 + random.below(5) }, () => random.below(bytes.length + 1));
  const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
  return places
    .slice(1)
    .map((end, index) => bytes.subarray(places[index], end))
    .filter((chunk) => chunk.length > 0);
}
