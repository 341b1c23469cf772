//! Values given as parameters and read back, both in binary.

use std::fmt::Debug;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio_postgres::Client;
use tokio_postgres::types::{FromSqlOwned, ToSql};
use uuid::Uuid;

use crate::bench::Bench;
use crate::{Feature, Seen, feature};

pub const FEATURES: &[Feature] = &[
    feature!("null-values", null_values),
    feature!("arrays", arrays),
    feature!("json", json_values),
    feature!("timestamps", timestamps),
    feature!("numerics", numerics),
    feature!("bytes-uuid", bytes_uuid),
    feature!("own-types", own_types),
    feature!("unicode", unicode),
    feature!("metadata", metadata),
];

/// What `SELECT $1::type` gives back, and what the server makes of it as text.
async fn back<T>(client: &Client, name: &str, value: T) -> Result<Value, tokio_postgres::Error>
where
    T: ToSql + FromSqlOwned + Sync + Debug,
{
    let row = client
        .query_one(&format!("SELECT $1::{name}, $1::{name}::text"), &[&value])
        .await?;
    Ok(json!([
        name,
        format!("{:?}", row.get::<_, T>(0)),
        row.get::<_, Option<String>>(1)
    ]))
}

async fn null_values(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    Ok(json!([
        back(&client, "text", None::<String>).await?,
        back(&client, "int", None::<i32>).await?,
        back(&client, "jsonb", None::<Value>).await?,
        back(&client, "int[]", None::<Vec<i32>>).await?,
    ]))
}

async fn arrays(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    let texts = ["plain", "with \"quotes\"", "it's", "a,b", "{}", ""];
    Ok(json!([
        back(&client, "int[]", vec![Some(1), None, Some(-3)]).await?,
        back(&client, "text[]", texts.map(str::to_owned).to_vec()).await?,
        back(&client, "float8[]", vec![1.5, f64::INFINITY]).await?,
    ]))
}

async fn json_values(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    let deep = json!({ "b": 1, "a": [true, null, { "nested": "\"é\n\"" }] });
    Ok(json!([
        back(&client, "json", deep.clone()).await?,
        back(&client, "jsonb", deep).await?,
        back(&client, "jsonb", json!([])).await?,
    ]))
}

async fn timestamps(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    let instant = UNIX_EPOCH + Duration::from_micros(1_772_323_199_123_456);
    Ok(json!([
        back(&client, "timestamptz", instant).await?,
        back(&client, "timestamp", instant).await?,
        back(
            &client,
            "timestamptz",
            UNIX_EPOCH - Duration::from_secs(3_000_000_000)
        )
        .await?,
    ]))
}

async fn numerics(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    let many = client
        .query_one(
            "SELECT ($1::text::numeric * 10)::text",
            &[&"123456789012345678901234567890.123456789"],
        )
        .await?;
    Ok(json!([
        back(&client, "smallint", i16::MIN).await?,
        back(&client, "int", i32::MAX).await?,
        back(&client, "bigint", i64::MAX).await?,
        back(&client, "oid", u32::MAX).await?,
        back(&client, "float8", 0.1).await?,
        back(&client, "float4", f32::MAX).await?,
        back(&client, "float8", f64::NEG_INFINITY).await?,
        many.get::<_, String>(0),
    ]))
}

async fn bytes_uuid(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    Ok(json!([
        back(&client, "bytea", (0..=255).collect::<Vec<u8>>()).await?,
        back(&client, "bytea", Vec::<u8>::new()).await?,
        back(
            &client,
            "uuid",
            Uuid::from_u128(0xb5c3_f1d2_0000_4abc_8def_0123_4567_89ab)
        )
        .await?,
    ]))
}

/// It asks the catalogue for types that it does not know, by prepared statements of its own.
async fn own_types(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    client.batch_execute("DROP TYPE IF EXISTS rust_item, rust_mood; CREATE TYPE rust_mood AS ENUM ('sad', 'happy')").await?;
    client
        .batch_execute("CREATE TYPE rust_item AS (name text, price numeric, mood rust_mood)")
        .await?;
    let statement = client
        .prepare("SELECT $1::rust_item, ARRAY[$2::rust_mood], int4range(1, 5)")
        .await?;
    let kinds: Vec<_> = statement
        .params()
        .iter()
        .map(|one| format!("{} {:?}", one.name(), one.kind()))
        .collect();
    let columns: Vec<_> = statement
        .columns()
        .iter()
        .map(|one| one.type_().name().to_owned())
        .collect();
    // The kinds name other types by OID, which is another one each time.
    let fields = kinds
        .iter()
        .map(|kind| kind.matches("name: \"").count())
        .collect::<Vec<_>>();
    Ok(json!([fields, columns]))
}

async fn unicode(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    let row = client
        .query_one(
            "SELECT $1::text AS \"größe 🐘\", length($1)",
            &[&"日本 🐘 ﷽"],
        )
        .await?;
    Ok(json!([
        row.columns()[0].name(),
        row.get::<_, String>(0),
        row.get::<_, i32>(1)
    ]))
}

async fn metadata(bench: &Bench) -> Seen {
    let columns = "id int PRIMARY KEY, price numeric(8, 2) NOT NULL, note varchar(20)";
    let name = bench.table("metadata", columns).await?;
    let sql = format!("SELECT *, price * 2 AS twice FROM {name} WHERE id = $1");
    let statement = bench.client().await?.prepare(&sql).await?;
    let described: Vec<_> = statement
        .columns()
        .iter()
        .map(|one| {
            json!([
                one.name(),
                one.type_().name(),
                one.column_id(),
                one.table_oid().is_some()
            ])
        })
        .collect();
    Ok(json!([statement.params()[0].name(), described]))
}
