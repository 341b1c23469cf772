/** Who statements of clients run as: in the embedded engine, and in one that `hati engine prepare` prepared. */
export const engineRoles = { reader: 'hatidata_reader', writer: 'hatidata_writer' } as const;

export type EngineRole = keyof typeof engineRoles;
