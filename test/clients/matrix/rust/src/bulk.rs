use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use serde_json::json;
use tokio_postgres::Client;

use crate::bench::{Bench, Failure, rows, sqlstate};
use crate::{Feature, Seen, feature};

pub const FEATURES: &[Feature] = &[
    feature!("copy-in", copy_in),
    feature!("copy-out", copy_out),
    feature!("copy-binary", copy_binary),
    feature!("copy-failed", copy_failed),
    feature!("large-value", large_value),
    feature!("many-rows", many_rows),
    feature!("large-object", large_object),
    feature!("large-object-api", large_object_api),
];

const COLUMNS: &str = "id int, note text";

fn lines() -> String {
    (1..=10_000)
        .map(|number| format!("{number}\tnote é {number}\n"))
        .collect()
}

async fn copied_out(client: &Client, sql: &str) -> Result<Vec<u8>, tokio_postgres::Error> {
    client
        .copy_out(sql)
        .await?
        .try_fold(Vec::new(), |mut all, part| async move {
            all.extend_from_slice(&part);
            Ok(all)
        })
        .await
}

async fn copied_in(
    client: &Client,
    sql: &str,
    given: Vec<u8>,
) -> Result<u64, tokio_postgres::Error> {
    let sink = client.copy_in::<_, std::io::Cursor<Vec<u8>>>(sql).await?;
    let mut sink = std::pin::pin!(sink);
    let parts: Vec<_> = given
        .chunks(5000)
        .map(|part| Ok(std::io::Cursor::new(part.to_vec())))
        .collect();
    sink.send_all(&mut stream::iter(parts)).await?;
    sink.finish().await
}

async fn copy_in(bench: &Bench) -> Seen {
    let name = bench.table("copy_in", COLUMNS).await?;
    let client = bench.client().await?;
    let count = copied_in(
        &client,
        &format!("COPY {name} FROM STDIN"),
        lines().into_bytes(),
    )
    .await?;
    let sums =
        format!("SELECT count(*), sum(id), md5(string_agg(note, ',' ORDER BY id)) FROM {name}");
    Ok(json!([count, rows(&client, &sums).await?]))
}

async fn copy_out(bench: &Bench) -> Seen {
    let sql = "COPY (SELECT n, 'note é ' || n FROM generate_series(1, 10000) n) TO STDOUT";
    let taken = copied_out(&bench.client().await?, sql).await?;
    Ok(json!(taken == lines().into_bytes()))
}

async fn copy_binary(bench: &Bench) -> Seen {
    let name = bench.table("copy_binary", COLUMNS).await?;
    let client = bench.client().await?;
    let sql = "COPY (SELECT n::int, repeat('é', n) FROM generate_series(1, 500) n) TO STDOUT (FORMAT binary)";
    let given = copied_out(&client, sql).await?;
    let count = copied_in(
        &client,
        &format!("COPY {name} FROM STDIN (FORMAT binary)"),
        given.clone(),
    )
    .await?;
    let taken = copied_out(&client, &format!("COPY {name} TO STDOUT (FORMAT binary)")).await?;
    Ok(json!([count, given.len(), taken == given]))
}

async fn copy_failed(bench: &Bench) -> Seen {
    let name = bench.table("copy_failed", COLUMNS).await?;
    let client = bench.client().await?;
    let sql = format!("COPY {name} FROM STDIN");
    let broken = copied_in(&client, &sql, b"1\tfine\nnot a number\tbroken\n".to_vec()).await;
    {
        let sink = client.copy_in::<_, std::io::Cursor<Vec<u8>>>(&sql).await?;
        let mut sink = std::pin::pin!(sink);
        sink.feed(std::io::Cursor::new(b"1\tnever\n".to_vec()))
            .await?;
        // Dropped, it gives up.
    }
    let broken = broken.err().map(|error| sqlstate(&error));
    Ok(json!([
        broken,
        rows(&client, &format!("SELECT count(*) FROM {name}")).await?
    ]))
}

async fn large_value(bench: &Bench) -> Seen {
    let value = vec![7u8; 8 * 1024 * 1024];
    let row = bench
        .client()
        .await?
        .query_one("SELECT length($1::bytea), $1", &[&value])
        .await?;
    Ok(json!([
        row.get::<_, i32>(0),
        row.get::<_, Vec<u8>>(1) == value
    ]))
}

async fn many_rows(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    let sql = "SELECT n::int, 'row ' || n FROM generate_series(1, $1::int) n";
    let rows = client.query_raw(sql, &[&50_000]).await?;
    let mut rows = std::pin::pin!(rows);
    let (mut count, mut sum, mut last) = (0, 0i64, String::new());
    while let Some(row) = rows.next().await.transpose()? {
        count += 1;
        sum += i64::from(row.get::<_, i32>(0));
        last = row.get(1);
    }
    Ok(json!([count, sum, last]))
}

async fn large_object(bench: &Bench) -> Seen {
    let mut client = bench.client().await?;
    let transaction = client.transaction().await?;
    let made = "SELECT lo_from_bytea(0, decode(repeat('ab', 20000), 'hex'))";
    let id: u32 = transaction.query_one(made, &[]).await?.get(0);
    let opened: i32 = transaction
        .query_one("SELECT lo_open($1, 131072)", &[&id])
        .await?
        .get(0);
    let mut parts = Vec::new();
    for _ in 0..2 {
        let part = transaction
            .query_one("SELECT loread($1, 15000)", &[&opened])
            .await?;
        parts.push(part.get::<_, Vec<u8>>(0).len());
    }
    transaction.commit().await?;
    bench.others().await?;
    let unlinked = client
        .query_one("SELECT lo_unlink($1)", &[&id])
        .await?
        .get::<_, i32>(0);
    Ok(json!([parts, unlinked]))
}

async fn large_object_api(_: &Bench) -> Seen {
    Err(Failure::Unsupported("no interface to large objects"))
}
