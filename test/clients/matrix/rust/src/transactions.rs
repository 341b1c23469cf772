use serde_json::json;
use tokio_postgres::{Client, IsolationLevel};

use crate::bench::{Bench, Failure, fails, rows, sqlstate};
use crate::{Feature, Seen, feature};

pub const FEATURES: &[Feature] = &[
    feature!("abrupt-close", abrupt_close),
    feature!("concurrent-clients", concurrent_clients),
    feature!("commit", commit),
    feature!("rollback", rollback),
    feature!("savepoint", savepoint),
    feature!("error-in-transaction", error_in_transaction),
    feature!("isolation", isolation),
    feature!("two-phase", two_phase),
];

async fn abrupt_close(bench: &Bench) -> Seen {
    let name = bench
        .table("abrupt_close", "id integer PRIMARY KEY")
        .await?;
    let neighbour = bench.client().await?;
    let leaving = bench.open(&bench.config).await?;
    leaving.client.batch_execute("BEGIN").await?;
    leaving
        .client
        .batch_execute(&format!("INSERT INTO {name} VALUES (1)"))
        .await?;
    leaving
        .client
        .batch_execute("SELECT pg_advisory_xact_lock(4741)")
        .await?;
    leaving.connection.abort();
    // Both wait until the server has noticed.
    neighbour
        .batch_execute("SELECT pg_advisory_lock(4741)")
        .await?;
    neighbour
        .batch_execute("SELECT pg_advisory_unlock(4741)")
        .await?;
    neighbour
        .batch_execute(&format!("INSERT INTO {name} VALUES (1)"))
        .await?;
    Ok(rows(&neighbour, &format!("SELECT * FROM {name}")).await?)
}

async fn concurrent_clients(bench: &Bench) -> Seen {
    let name = &bench
        .table("concurrent_clients", "client integer, note text")
        .await?;
    let mut clients = Vec::new();
    for _ in 0..24 {
        clients.push(bench.client().await?);
    }
    let work = clients
        .iter()
        .enumerate()
        .map(|(index, client)| alone(client, name, index as i32));
    futures_util::future::try_join_all(work).await?;
    let counted =
        format!("SELECT count(*), count(DISTINCT client), count(DISTINCT note) FROM {name}");
    Ok(rows(&bench.client().await?, &counted).await?)
}

/// A client's own transactions, setting and statement; it fails when it sees anything of another's.
async fn alone(client: &Client, name: &str, index: i32) -> Result<(), Failure> {
    client
        .batch_execute(&format!("SET matrix.client = {index}"))
        .await?;
    let own = client.prepare(&format!("SELECT {index} + $1::int")).await?;
    for round in 0..5 {
        client.batch_execute("BEGIN").await?;
        let note = format!("{index}/{round}");
        client
            .execute(
                &format!("INSERT INTO {name} VALUES ($1, $2)"),
                &[&index, &note],
            )
            .await?;
        client
            .batch_execute(if round == 4 { "ROLLBACK" } else { "COMMIT" })
            .await?;
        let shown = rows(client, "SELECT current_setting('matrix.client')").await?;
        let sum: i32 = client.query_one(&own, &[&round]).await?.get(0);
        if shown != json!([[index.to_string()]]) || sum != index + round {
            return Err(Failure::Other(format!("{shown}, {sum}: not its own")));
        }
    }
    Ok(())
}

async fn commit(bench: &Bench) -> Seen {
    let name = bench.table("commits", "id int").await?;
    let (mut client, neighbour) = (bench.client().await?, bench.client().await?);
    let read = format!("SELECT * FROM {name}");
    let transaction = client.transaction().await?;
    transaction
        .execute(&format!("INSERT INTO {name} VALUES (1)"), &[])
        .await?;
    let before = rows(&neighbour, &read).await?;
    transaction.commit().await?;
    Ok(json!([before, rows(&neighbour, &read).await?]))
}

async fn rollback(bench: &Bench) -> Seen {
    let name = bench.table("rollbacks", "id int").await?;
    let mut client = bench.client().await?;
    let transaction = client.transaction().await?;
    transaction
        .execute(&format!("INSERT INTO {name} VALUES (1)"), &[])
        .await?;
    // Dropped, it is rolled back with the next message.
    drop(transaction);
    Ok(rows(&client, &format!("SELECT * FROM {name}")).await?)
}

async fn savepoint(bench: &Bench) -> Seen {
    let name = bench.table("savepoints", "id int PRIMARY KEY").await?;
    let mut client = bench.client().await?;
    let insert = format!("INSERT INTO {name} VALUES ($1)");
    let mut transaction = client.transaction().await?;
    transaction.execute(&insert, &[&1]).await?;
    let nested = transaction.transaction().await?;
    let twice = nested
        .execute(&insert, &[&1])
        .await
        .err()
        .map(|error| sqlstate(&error));
    nested.rollback().await?;
    let nested = transaction.savepoint("named").await?;
    nested.execute(&insert, &[&2]).await?;
    nested.commit().await?;
    transaction.commit().await?;
    Ok(json!([
        twice,
        rows(&client, &format!("SELECT * FROM {name} ORDER BY id")).await?
    ]))
}

async fn error_in_transaction(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    client.batch_execute("BEGIN").await?;
    let first = fails(&client, "SELECT 1/0").await?;
    let second = fails(&client, "SELECT 1").await?;
    let third = client
        .query("SELECT $1::int", &[&1])
        .await
        .err()
        .map(|error| sqlstate(&error));
    client.batch_execute("ROLLBACK").await?;
    Ok(json!([
        first,
        second,
        third,
        rows(&client, "SELECT 1").await?
    ]))
}

async fn isolation(bench: &Bench) -> Seen {
    let mut client = bench.client().await?;
    let shown =
        "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')";
    let build = client
        .build_transaction()
        .isolation_level(IsolationLevel::Serializable);
    let transaction = build.read_only(true).deferrable(true).start().await?;
    let row = transaction.query_one(shown, &[]).await?;
    let inside = [row.get::<_, String>(0), row.get::<_, String>(1)];
    let write = transaction
        .batch_execute("CREATE TABLE never (id int)")
        .await
        .err()
        .map(|error| sqlstate(&error));
    transaction.rollback().await?;
    Ok(json!([inside, write, rows(&client, shown).await?]))
}

async fn two_phase(bench: &Bench) -> Seen {
    let name = bench.table("two_phase", "id int").await?;
    let (client, neighbour) = (bench.client().await?, bench.client().await?);
    let read = format!("SELECT * FROM {name}");
    client.batch_execute("BEGIN").await?;
    client
        .batch_execute(&format!("INSERT INTO {name} VALUES (1)"))
        .await?;
    client
        .batch_execute("PREPARE TRANSACTION 'matrix-rust'")
        .await?;
    let before = rows(&client, &read).await?;
    neighbour
        .batch_execute("COMMIT PREPARED 'matrix-rust'")
        .await?;
    Ok(json!([before, rows(&client, &read).await?]))
}
