/** What time it is. Tests have one of their own, which they set forward. */
export type Clock = () => Date;

export const systemClock: Clock = () => new Date();
