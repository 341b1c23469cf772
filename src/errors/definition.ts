/** Which side caused it: the caller's request, a rule that refused it, us, the engine behind us, or the control store. */
export type Blame = 'client' | 'policy' | 'proxy' | 'engine' | 'store';

export interface ErrorDefinition {
  /** Five characters, from PostgreSQL's appendix A. */
  readonly sqlstate: string;
  /** What a REST caller would get for the same fault. */
  readonly http: number;
  readonly blame: Blame;
  /** Client text; `{name}` is replaced by the parameter of that name. */
  readonly text: string;
  /** The way out, where there is one that always applies. */
  readonly hint?: string;
  /** Where PostgreSQL says the same (field `R`), for drivers that look there to know that they may prepare again. */
  readonly routine?: string;
}
