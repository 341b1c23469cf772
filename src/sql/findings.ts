import type { StandIn } from './stand-in-views.ts';
import type {
  Act,
  FunctionRef,
  OperatorRef,
  RelationRef,
  SessionEffect,
  SettingChange,
  TypeRef,
} from './statement.ts';

/** What the rules of the grammar collect while one statement is walked. */
export class Findings {
  readonly acts: Act[] = [];
  readonly relations: RelationRef[] = [];
  readonly functions: FunctionRef[] = [];
  readonly operators: OperatorRef[] = [];
  readonly settings: SettingChange[] = [];
  readonly effects = new Set<SessionEffect>();
  readonly fieldNames = new Set<string>();
  readonly types: TypeRef[] = [];
  /** Names that PREPARE gives, and that EXECUTE runs. */
  readonly prepared = new Set<string>();
  readonly executed = new Set<string>();
  /** Every name that was spelt as a string node, for the rule that asks whether pg_temp is mentioned at all. */
  readonly names = new Set<string>();
  /** `set_config` calls whose computed name is known after all; see `settingOfCatalogueRow`. */
  readonly resolvedSettings = new Map<object, string>();
  /** Nodes that read pg_settings, whose names are known; see `namedSettings`. */
  readonly namedSettings = new Set<object>();

  /** Nodes that read a catalogue with options, all but those; see `maskedReading`. */
  readonly maskedReadings = new Set<object>();
  /** A catalogue with options is read in any other way. */
  seesOptions = false;

  readonly standIns: StandIn[] = [];
  /** Numbers of parameters whose values name settings that are read. */
  readonly settingParameters = new Set<number>();

  readonly #calls = new Set<string>();
  readonly #relations = new Set<string>();

  act(act: Act): void {
    if (!this.acts.some((known) => known.class === act.class && known.verb === act.verb))
      this.acts.push(act);
  }

  /** The same call a thousand times (`now()` in every row of an INSERT) is one finding: where it stands first. */
  call(ref: FunctionRef): void {
    const { schema = null, name, constants } = ref;
    const key = JSON.stringify([schema, name, constants]);
    if (this.#calls.has(key)) return;
    this.#calls.add(key);
    this.functions.push(ref);
  }

  relation(ref: RelationRef): void {
    const key = JSON.stringify([ref.schema ?? null, ref.name]);
    if (this.#relations.has(key)) return;
    this.#relations.add(key);
    this.relations.push(ref);
  }

  type(type: TypeRef): void {
    const known = this.types.some((one) => one.name === type.name && one.schema === type.schema);
    if (!known) this.types.push(type);
  }

  operator(operator: OperatorRef): void {
    const known = this.operators.some(
      (one) => one.name === operator.name && one.schema === operator.schema,
    );
    if (!known) this.operators.push(operator);
  }
}
