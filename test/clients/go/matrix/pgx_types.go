package main

import (
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
)

type typed struct {
	name  string
	value any
}

const deepJSON = `{"b": 1, "a": [true, null, {"nested": "\"é\n\""}]}`

// pgxTypes gives values as parameters and reads them back.
func pgxTypes(mode pgx.QueryExecMode) map[string]feature {
	roundTrip := func(values ...typed) feature {
		return func(b *bench) any {
			conn := openPgx(b, b.address, mode)
			var seen []any
			for _, one := range values {
				sql := fmt.Sprintf("SELECT $1::%s, $1::%s::text, pg_typeof($1::%s)::text", one.name, one.name, one.name)
				seen = append(seen, fmt.Sprintf("%+v", readPgx(b, conn, sql, one.value)))
			}
			return seen
		}
	}
	every := make([]byte, 256)
	for index := range every {
		every[index] = byte(index)
	}
	return map[string]feature{
		"null-values": roundTrip(typed{"text", nil}, typed{"int", nil}, typed{"jsonb", nil}, typed{"timestamptz", nil}),
		"arrays": roundTrip(
			typed{"int[]", []int32{1, -3}},
			typed{"text[]", []string{"plain", `with "quotes"`, "it's", "a,b", "{}", ""}},
			typed{"int[]", "{{1,2},{3,4}}"},
			typed{"float8[]", []float64{1.5, math.Inf(1)}},
		),
		"json": roundTrip(typed{"json", deepJSON}, typed{"jsonb", deepJSON}, typed{"jsonb", "[]"}),
		"timestamps": roundTrip(
			typed{"timestamptz", time.Date(2026, 2, 28, 23, 59, 59, 123456000, time.UTC)},
			typed{"timestamp", time.Date(2026, 2, 28, 23, 59, 59, 123456000, time.UTC)},
			typed{"date", time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)},
			typed{"interval", 90 * time.Minute},
			typed{"timestamptz", "infinity"},
		),
		"numerics": roundTrip(
			typed{"smallint", int16(-32768)},
			typed{"bigint", int64(math.MaxInt64)},
			typed{"numeric", "123456789012345678901234567890.123456789"},
			typed{"numeric", "NaN"},
			typed{"float8", 0.1},
			typed{"float8", math.Inf(-1)},
		),
		"bytes-uuid": roundTrip(
			typed{"bytea", every},
			typed{"bytea", []byte{}},
			typed{"uuid", "b5c3f1d2-0000-4abc-8def-0123456789ab"},
		),
		"own-types": func(b *bench) any {
			one := b.client()
			one.query("DROP TYPE IF EXISTS go_matrix_item, go_matrix_mood")
			one.query("CREATE TYPE go_matrix_mood AS ENUM ('sad', 'happy')")
			one.query("CREATE TYPE go_matrix_item AS (name text, price int, mood go_matrix_mood)")
			conn := openPgx(b, b.address, mode)
			found, err := conn.LoadTypes(b.ctx, []string{"go_matrix_mood", "go_matrix_item", "_go_matrix_mood"})
			check(err)
			conn.TypeMap().RegisterTypes(found)
			sql := "SELECT row('pen', 150, 'happy')::go_matrix_item, ARRAY['sad', 'happy']::go_matrix_mood[]"
			return []any{len(found), readPgx(b, conn, sql)}
		},
		"metadata": func(b *bench) any {
			name := b.table("metadata", "id int PRIMARY KEY, price numeric(8, 2) NOT NULL, note varchar(20)")
			conn := openPgx(b, b.address, mode)
			described, err := conn.Prepare(b.ctx, "described", "SELECT *, price * 2 AS twice FROM "+name+" WHERE id = $1")
			check(err)
			seen := []any{described.ParamOIDs}
			for _, field := range described.Fields {
				seen = append(seen, field.Name, field.DataTypeOID, field.TypeModifier, field.TableAttributeNumber, field.TableOID > 0)
			}
			return seen
		},
	}
}
