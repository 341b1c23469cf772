import type { StandIn } from './stand-ins.ts';
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
  /** Names that DEALLOCATE ends. */
  readonly deallocated = new Set<string>();
  /** Names of cursors that DECLARE makes, and that FETCH and MOVE run. */
  readonly declared = new Set<string>();
  readonly fetched = new Set<string>();
  /** pg_temp is mentioned somewhere, as a name of any kind. */
  namesTemporary = false;
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
    const { schema = '', name, constants, arity = '' } = ref;
    const values = constants.map((value) => (value === undefined ? '' : `=${value}`));
    if (isNew(this.#calls, [schema, name, arity, ...values].join(separator)))
      this.functions.push(ref);
  }

  relation(ref: RelationRef): void {
    if (isNew(this.#relations, `${ref.schema ?? ''}${separator}${ref.name}`))
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

/** No name or value holds it. */
const separator = '\0';

function isNew(known: Set<string>, key: string): boolean {
  const before = known.size;
  return known.add(key).size > before;
}
