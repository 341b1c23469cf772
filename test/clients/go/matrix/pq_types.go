package main

import (
	"fmt"
	"math"
	"time"

	"github.com/lib/pq"
)

// pqTypes gives values as parameters and reads them back.
var pqTypes = func() map[string]feature {
	roundTrip := func(values ...typed) feature {
		return func(b *bench) any {
			one := b.client()
			var seen []any
			for _, value := range values {
				sql := fmt.Sprintf("SELECT $1::%s, $1::%s::text", value.name, value.name)
				seen = append(seen, fmt.Sprintf("%+q", fmt.Sprint(one.query(sql, value.value))))
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
			typed{"int[]", pq.Array([]int64{1, -3})},
			typed{"text[]", pq.Array([]string{"plain", `with "quotes"`, "it's", "a,b", "{}", ""})},
			typed{"int[]", pq.Array([][]int64{{1, 2}, {3, 4}})},
		),
		"json": roundTrip(typed{"json", deepJSON}, typed{"jsonb", deepJSON}, typed{"jsonb", "[]"}),
		"timestamps": roundTrip(
			typed{"timestamptz", time.Date(2026, 2, 28, 23, 59, 59, 123456000, time.UTC)},
			typed{"timestamp", time.Date(2026, 2, 28, 23, 59, 59, 123456000, time.UTC)},
			typed{"date", time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)},
			typed{"interval", "1 year 2 mons -3 days 04:05:06.789"},
		),
		"numerics": roundTrip(
			typed{"smallint", -32768},
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
		"own-types": without("no lookup of types"),
		"metadata": func(b *bench) any {
			name := b.table("metadata", "id int PRIMARY KEY, price numeric(8, 2) NOT NULL, note varchar(20)")
			rows, err := openPq(b, b.address).QueryContext(b.ctx, "SELECT *, price * 2 AS twice FROM "+name)
			check(err)
			columns, err := rows.ColumnTypes()
			check(err)
			var seen []any
			for _, column := range columns {
				precision, scale, _ := column.DecimalSize()
				length, _ := column.Length()
				seen = append(seen, column.Name(), column.DatabaseTypeName(), precision, scale, length)
			}
			check(rows.Close())
			return seen
		},
	}
}()
