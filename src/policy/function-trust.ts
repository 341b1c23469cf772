import type { Trust } from './catalogue.ts';

/** What pg_proc says of a function that is not PostgreSQL's own. */
export interface FunctionFacts {
  readonly schema: string;
  readonly name: string;
  /** The extension that it belongs to. */
  readonly extension: string | null;
  /** Declared VOLATILE; of an aggregate: one of the functions that it is made of is. */
  readonly volatile: boolean;
  readonly securityDefiner: boolean;
  /** It belongs to the database's owner or to a superuser. */
  readonly isOwners: boolean;
  /** A superuser made it: it is his, or in C. Whoever owns an extension can put functions of his own into it. */
  readonly isInstalled: boolean;
  /** It is made of other functions (an aggregate), and one of them is the user's and trusted by no rule. */
  readonly hasUntrustedParts: boolean;
}

/**
 * Extensions that agents live on, looked at one by one: their functions that are not VOLATILE compare, compute and convert
 * values, nothing else. Beside each: which of those are left out after all, and which VOLATILE ones only compute.
 */
interface Review {
  readonly except?: RegExp;
  readonly also?: RegExp;
}

const reviewedExtensions: ReadonlyMap<string, Review> = new Map<string, Review>([
  ['vector', {}],
  ['pg_trgm', {}],
  ['hstore', {}],
  ['citext', {}],
  ['ltree', {}],
  ['cube', {}],
  ['seg', {}],
  ['intarray', {}],
  ['earthdistance', {}],
  ['unaccent', {}],
  ['fuzzystrmatch', {}],
  ['btree_gin', {}],
  ['btree_gist', {}],
  ['bloom', {}],
  ['tsm_system_rows', {}],
  ['tsm_system_time', {}],
  // New identifiers, no state.
  ['uuid-ossp', { also: /^uuid_generate_v/ }],
  // crypt takes as much processor time as its salt says, PGP and ciphers hold keys in statements.
  [
    'pgcrypto',
    {
      except: /^(?!digest$|hmac$|gen_random_)/,
      also: /^gen_random_(bytes|uuid)$/,
    },
  ],
  // Those left out read statistics or the catalogue of a table that is named in a string.
  [
    'postgis',
    {
      except:
        /^(st_estimatedextent|st_findextent|find_srid|_postgis_|postgis_(constraint|extensions|type_name))/,
    },
  ],
  ['postgis_raster', { except: /^(st_estimatedextent|_raster_constraint|raster_)/ }],
]);

/** The rule for functions of the database: see `Trust`. */
export function trustOf(facts: FunctionFacts): Trust {
  const {
    schema,
    name,
    extension,
    volatile,
    securityDefiner,
    isOwners,
    isInstalled,
    hasUntrustedParts,
  } = facts;
  if (securityDefiner || hasUntrustedParts) return 'none';
  // Ours, made at the start or by `hati engine prepare`, whoever ran that.
  if (schema === 'hatidata' && name === 'agent_id' && !volatile) return 'reviewed';
  if (extension !== null) {
    const review = reviewedExtensions.get(extension);
    if (!isInstalled || review === undefined || review.except?.test(name) === true) return 'none';
    return !volatile || review.also?.test(name) === true ? 'reviewed' : 'none';
  }
  return isOwners && !volatile ? 'owners' : 'none';
}

/** For docs/scopes.md. */
export const reviewedExtensionNames: readonly string[] = [...reviewedExtensions.keys()];
