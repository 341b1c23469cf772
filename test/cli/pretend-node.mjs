// Preloaded by with-dependencies.test.ts; the pinned Node that is started from here must not inherit the pretence.
const versions = { ...process.versions, node: process.env.PRETEND_NODE };
Object.defineProperty(process, 'versions', { value: versions });
