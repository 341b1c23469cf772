/** What an organization has subscribed to: requests that each of its callers may send, and how much there may be of what. */
export const tiers = {
  free: {
    perMinute: 60,
    burst: 10,
    keysPerEnvironment: 10,
    environments: 2,
    users: 5,
    monthlyCredits: 1_000,
    concurrentQueries: 10,
    storageGb: 10,
  },
  cloud: {
    perMinute: 300,
    burst: 50,
    keysPerEnvironment: 50,
    environments: 5,
    users: 25,
    monthlyCredits: 10_000,
    concurrentQueries: 100,
    storageGb: 500,
  },
  growth: {
    perMinute: 1_000,
    burst: 100,
    keysPerEnvironment: 500,
    environments: 20,
    users: 200,
    monthlyCredits: 100_000,
    concurrentQueries: 500,
    storageGb: 5_000,
  },
  enterprise: {
    perMinute: 10_000,
    burst: 500,
    keysPerEnvironment: Infinity,
    environments: Infinity,
    users: Infinity,
    monthlyCredits: Infinity,
    concurrentQueries: Infinity,
    storageGb: Infinity,
  },
} as const;

export type Tier = keyof typeof tiers;

export const tierNames = Object.keys(tiers) as [Tier, ...Tier[]];
