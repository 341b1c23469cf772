//! What the server says besides rows.

use std::time::Duration;

use futures_util::future::try_join;
use serde_json::json;
use tokio_postgres::{AsyncMessage, NoTls};

use crate::bench::{Bench, fails, fault, rows};
use crate::{Feature, Seen, feature};

pub const FEATURES: &[Feature] = &[
    feature!("cancel", cancel),
    feature!("statement-timeout", statement_timeout),
    feature!("error-fields", error_fields),
    feature!("notices", notices),
];

async fn cancel(bench: &Bench) -> Seen {
    let (client, neighbour) = (bench.client().await?, bench.client().await?);
    let token = client.cancel_token();
    let mut ended = std::pin::pin!(client.query("SELECT pg_sleep(60)", &[]));
    let cancelling = async {
        loop {
            // One that comes too early does nothing.
            match tokio::time::timeout(Duration::from_millis(50), &mut ended).await {
                Ok(ended) => return Ok(ended.err().map(|error| fault(&error))),
                Err(_) => token.cancel_query(NoTls).await?,
            }
        }
    };
    let bystander = neighbour.query("SELECT pg_sleep(0.5)", &[]);
    let (ended, bystander) = try_join(cancelling, bystander).await?;
    Ok(json!([
        ended,
        bystander.len(),
        rows(&client, "SELECT 1").await?
    ]))
}

async fn statement_timeout(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    client
        .batch_execute("SET statement_timeout = '100ms'")
        .await?;
    let ended = fails(&client, "SELECT pg_sleep(60)").await?;
    client.batch_execute("RESET statement_timeout").await?;
    Ok(json!([ended, rows(&client, "SELECT 1").await?]))
}

async fn error_fields(bench: &Bench) -> Seen {
    let name = bench
        .table("error_fields", "id int CONSTRAINT rust_one_of_each UNIQUE")
        .await?;
    let client = bench.client().await?;
    let insert = format!("INSERT INTO {name} VALUES ($1)");
    client.execute(&insert, &[&1]).await?;
    let mut seen = vec![
        client
            .execute(&insert, &[&1])
            .await
            .err()
            .map(|error| fault(&error)),
    ];
    for sql in ["SELECT nothing FROM nowhere", "SELEKT 1", "SELECT 1/0"] {
        seen.push(
            client
                .query(sql, &[])
                .await
                .err()
                .map(|error| fault(&error)),
        );
    }
    Ok(json!(seen))
}

async fn notices(bench: &Bench) -> Seen {
    let mut opened = bench.open(&bench.config).await?;
    let raised = "DO $$ BEGIN RAISE NOTICE 'one 1' USING DETAIL = 'a detail', HINT = 'a hint'; \
                  RAISE WARNING 'two' USING ERRCODE = '01234'; END $$";
    opened.client.batch_execute(raised).await?;
    opened
        .client
        .batch_execute("DROP TABLE IF EXISTS there_is_none")
        .await?;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        if let Some(AsyncMessage::Notice(one)) = opened.messages.recv().await {
            seen.push(json!([
                one.severity(),
                one.code().code(),
                one.message(),
                one.detail(),
                one.hint()
            ]));
        }
    }
    Ok(json!(seen))
}
