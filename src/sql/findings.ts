import type {
  Act,
  FunctionRef,
  OperatorRef,
  RelationRef,
  SessionEffect,
  SettingChange,
} from './statement.ts';

/** What the rules of the grammar collect while one statement is walked. */
export class Findings {
  readonly acts: Act[] = [];
  readonly relations: RelationRef[] = [];
  readonly functions: FunctionRef[] = [];
  readonly operators: OperatorRef[] = [];
  readonly settings: SettingChange[] = [];
  readonly effects = new Set<SessionEffect>();
  /** Every name that was spelt as a string node, for the rule that asks whether pg_temp is mentioned at all. */
  readonly names = new Set<string>();
  /** `set_config` calls whose computed name is known after all; see `settingOfCatalogueRow`. */
  readonly resolvedSettings = new Map<object, string>();

  act(act: Act): void {
    if (!this.acts.some((known) => known.class === act.class && known.verb === act.verb))
      this.acts.push(act);
  }

  operator(operator: OperatorRef): void {
    const known = this.operators.some(
      (one) => one.name === operator.name && one.schema === operator.schema,
    );
    if (!known) this.operators.push(operator);
  }
}
