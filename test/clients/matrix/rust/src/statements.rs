use futures_util::future::join_all;
use serde_json::json;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::Type;

use crate::bench::{Bench, Failure, fault, rows, sqlstate};
use crate::{Feature, Seen, feature};

pub const FEATURES: &[Feature] = &[
    feature!("connect", connect),
    feature!("wrong-password", wrong_password),
    feature!("reconnect", reconnect),
    feature!("simple-query", simple_query),
    feature!("empty-query", empty_query),
    feature!("parameters-text", parameters_text),
    feature!("parameters-binary", parameters_binary),
    feature!("unnamed-statement", unnamed_statement),
    feature!("named-statement", named_statement),
    feature!("same-name", same_name),
    feature!("close-statement", close_statement),
    feature!("changed-table", changed_table),
    feature!("batch", batch),
    feature!("batch-error", batch_error),
    feature!("rows-in-parts", rows_in_parts),
];

async fn connect(bench: &Bench) -> Seen {
    let shown = "SELECT current_database(), session_user, current_user, current_setting('server_version'), pg_is_in_recovery()";
    Ok(rows(&bench.client().await?, shown).await?)
}

async fn wrong_password(bench: &Bench) -> Seen {
    let mut config = bench.config.clone();
    config.password("not-the-password");
    match bench.open(&config).await {
        Ok(_) => Err(Failure::of("it was let in")),
        Err(error) => Ok(sqlstate(&error)),
    }
}

async fn reconnect(bench: &Bench) -> Seen {
    let mut seen = Vec::new();
    for round in 0..10 {
        // Names are counted by process, so the text is what repeats.
        let client = bench.client().await?;
        seen.push(
            client
                .query_one(&format!("SELECT {round} + $1::int"), &[&1])
                .await?
                .get::<_, i32>(0),
        );
    }
    Ok(json!(seen))
}

async fn simple_query(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    let text = "SELECT 1 AS a; SELECT 'x' AS b, NULL AS c; CREATE TEMPORARY TABLE t (i int); INSERT INTO t VALUES (1), (2)";
    let mut seen = Vec::new();
    for message in client.simple_query(text).await? {
        seen.push(match message {
            SimpleQueryMessage::Row(row) => json!([row.columns()[0].name(), row.get(0)]),
            SimpleQueryMessage::CommandComplete(count) => json!(count),
            _ => json!("description"),
        });
    }
    Ok(json!(seen))
}

async fn empty_query(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    client.batch_execute(" ").await?;
    Ok(json!([
        client.execute(" ", &[]).await?,
        rows(&client, "SELECT 1").await?
    ]))
}

async fn parameters_text(_: &Bench) -> Seen {
    Err(Failure::Unsupported("binary format only"))
}

async fn parameters_binary(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    let bytes: &[u8] = &[0, 1, 255];
    let row = client
        .query_one(
            "SELECT $1::bytea, $2::int, $3::float8, $4::bool",
            &[&bytes, &7, &2.5, &true],
        )
        .await?;
    Ok(json!([
        row.get::<_, Vec<u8>>(0),
        row.get::<_, i32>(1),
        row.get::<_, f64>(2),
        row.get::<_, bool>(3)
    ]))
}

async fn unnamed_statement(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    let mut seen = Vec::new();
    for round in 0..5 {
        // Parse, Describe, Bind and Execute in one go.
        let answer = client
            .query_typed("SELECT $1::int * 2", &[(&round, Type::INT4)])
            .await?;
        seen.push(json!(answer[0].get::<_, i32>(0)));
        client.batch_execute("SELECT 1").await?;
        let name = format!("n{round}");
        let answer = client
            .query_typed("SELECT upper($1)", &[(&name, Type::TEXT)])
            .await?;
        seen.push(json!(answer[0].get::<_, &str>(0)));
        if round % 2 == 0 {
            bench.others().await?;
        }
    }
    Ok(json!(seen))
}

async fn named_statement(bench: &Bench) -> Seen {
    let mut client = bench.client().await?;
    let statement = client.prepare("SELECT $1::int + 1").await?;
    let mut seen = Vec::new();
    for round in 0..5 {
        let transaction = client.transaction().await?;
        seen.push(
            transaction
                .query_one(&statement, &[&round])
                .await?
                .get::<_, i32>(0),
        );
        transaction.commit().await?;
        bench.others().await?;
        seen.push(
            client
                .query_one(&statement, &[&-round])
                .await?
                .get::<_, i32>(0),
        );
    }
    Ok(json!(seen))
}

async fn same_name(_: &Bench) -> Seen {
    Err(Failure::Unsupported("names are its own"))
}

async fn close_statement(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    let mut seen = Vec::new();
    for round in 0..5 {
        // Dropped, it is closed.
        let statement = client.prepare(&format!("SELECT {round} + $1::int")).await?;
        seen.push(
            client
                .query_one(&statement, &[&round])
                .await?
                .get::<_, i32>(0),
        );
    }
    let held = rows(&client, "SELECT count(*) FROM pg_prepared_statements").await?;
    Ok(json!([seen, held]))
}

async fn changed_table(bench: &Bench) -> Seen {
    let name = bench.table("changed_table", "id int").await?;
    let (client, neighbour) = (bench.client().await?, bench.client().await?);
    client
        .batch_execute(&format!("INSERT INTO {name} VALUES (1)"))
        .await?;
    let read = format!("SELECT * FROM {name}");
    let statement = client.prepare(&read).await?;
    let before = client.query_one(&statement, &[]).await?.len();
    neighbour
        .batch_execute(&format!(
            "ALTER TABLE {name} ADD COLUMN note text DEFAULT 'new'"
        ))
        .await?;
    let changed = client
        .query_one(&statement, &[])
        .await
        .err()
        .map(|error| fault(&error));
    let again = client.prepare(&read).await?;
    Ok(json!([
        before,
        changed,
        client.query_one(&again, &[]).await?.len()
    ]))
}

/// It sends what is asked before the first answer is read.
async fn batch(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    let statement = client.prepare("SELECT $1::int").await?;
    let numbers: Vec<i32> = (0..500).collect();
    let (one, two) = (&statement, &client);
    let asked = numbers
        .iter()
        .map(|number| async move { two.query_one(one, &[number]).await });
    let mut right = 0;
    for (index, answer) in join_all(asked).await.into_iter().enumerate() {
        right += i32::from(answer?.get::<_, i32>(0) == index as i32);
    }
    Ok(json!(right))
}

async fn batch_error(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    let statement = client.prepare("SELECT 10/$1::int").await?;
    let (one, two) = (&statement, &client);
    let asked = [1, 0, 2].map(|divisor| async move { two.query_one(one, &[&divisor]).await });
    let mut seen = Vec::new();
    for answer in join_all(asked).await {
        seen.push(match answer {
            Ok(row) => json!(row.get::<_, i32>(0)),
            Err(error) => sqlstate(&error),
        });
    }
    Ok(json!([seen, rows(&client, "SELECT 1").await?]))
}

async fn rows_in_parts(bench: &Bench) -> Seen {
    let mut client = bench.client().await?;
    let transaction = client.transaction().await?;
    let portal = transaction
        .bind("SELECT generate_series(1, $1::int)", &[&1000])
        .await?;
    let other = transaction
        .bind("SELECT generate_series(1, 5)", &[])
        .await?;
    let mut seen = Vec::new();
    for (portal, limit) in [
        (&portal, 300),
        (&other, 2),
        (&portal, 300),
        (&other, 10),
        (&portal, 0),
    ] {
        let part = transaction.query_portal(portal, limit).await?;
        seen.push((part.len(), part[0].get::<_, i32>(0)));
    }
    transaction.commit().await?;
    Ok(json!(seen))
}
