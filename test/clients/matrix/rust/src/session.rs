//! What a session keeps from one transaction to the next, while others work.

use serde_json::json;
use tokio_postgres::AsyncMessage;

use crate::bench::{Bench, Failure, fails, rows};
use crate::{Feature, Seen, feature};

pub const FEATURES: &[Feature] = &[
    feature!("deallocate-all", deallocate_all),
    feature!("discard-all", discard_all),
    feature!("sql-prepare", sql_prepare),
    feature!("set-survives", set_survives),
    feature!("set-local", set_local),
    feature!("temporary-table", temporary_table),
    feature!("advisory-lock", advisory_lock),
    feature!("listen-notify", listen_notify),
    feature!("cursor-hold", cursor_hold),
    feature!("sequence-value", sequence_value),
];

async fn deallocate_all(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    client.batch_execute("PREPARE mine AS SELECT 1").await?;
    let statement = client.prepare("SELECT $1::int").await?;
    client.batch_execute("DEALLOCATE ALL").await?;
    bench.others().await?;
    let gone = fails(&client, "EXECUTE mine").await?;
    let gone_too = client
        .query(&statement, &[&1])
        .await
        .err()
        .map(|error| crate::bench::sqlstate(&error));
    client.batch_execute("PREPARE mine AS SELECT 2").await?;
    let again = client
        .query_one("SELECT $1::int", &[&3])
        .await?
        .get::<_, i32>(0);
    Ok(json!([
        gone,
        gone_too,
        rows(&client, "EXECUTE mine").await?,
        again
    ]))
}

async fn discard_all(bench: &Bench) -> Seen {
    let (client, neighbour) = (bench.client().await?, bench.client().await?);
    let before = rows(&client, "SHOW work_mem").await?;
    client.batch_execute("SET work_mem = '7MB'").await?;
    client
        .batch_execute("CREATE TEMPORARY TABLE discarded (id int)")
        .await?;
    client
        .batch_execute("PREPARE discarded AS SELECT 1")
        .await?;
    client
        .batch_execute("SELECT pg_advisory_lock(4742)")
        .await?;
    client.batch_execute("DISCARD ALL").await?;
    let is_free = rows(&neighbour, "SELECT pg_try_advisory_lock(4742)").await?;
    let is_back = rows(&client, "SHOW work_mem").await? == before;
    let no_table = fails(&client, "SELECT * FROM discarded").await?;
    Ok(json!([
        is_free,
        is_back,
        no_table,
        fails(&client, "EXECUTE discarded").await?
    ]))
}

async fn sql_prepare(bench: &Bench) -> Seen {
    let (client, neighbour) = (bench.client().await?, bench.client().await?);
    client
        .batch_execute("PREPARE twice (int) AS SELECT $1 * 2")
        .await?;
    neighbour
        .batch_execute("PREPARE twice (int) AS SELECT $1 * 20")
        .await?;
    bench.others().await?;
    client.batch_execute("BEGIN").await?;
    let inside = [
        rows(&client, "EXECUTE twice(21)").await?,
        rows(&neighbour, "EXECUTE twice(21)").await?,
    ];
    client.batch_execute("COMMIT").await?;
    bench.others().await?;
    let after = rows(&client, "EXECUTE twice(4)").await?;
    client.batch_execute("DEALLOCATE twice").await?;
    let gone = fails(&client, "EXECUTE twice(4)").await?;
    Ok(json!([
        inside,
        after,
        gone,
        rows(&neighbour, "EXECUTE twice(1)").await?
    ]))
}

async fn set_survives(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    let shown = "SELECT current_setting('work_mem'), current_setting('TimeZone'), current_setting('search_path'), \
                 current_setting('matrix.own', true), current_setting('DateStyle')";
    for set in [
        "SET work_mem = '5MB'",
        "SET TIME ZONE 'Asia/Kolkata'",
        "SET search_path = pg_catalog, main",
        "SET matrix.own = 'mine'",
        "SELECT set_config('DateStyle', 'German, DMY', false)",
    ] {
        client.batch_execute(set).await?;
    }
    bench.others().await?;
    let mut seen = vec![rows(&client, shown).await?];
    client.batch_execute("BEGIN").await?;
    seen.push(rows(&client, shown).await?);
    client.batch_execute("COMMIT").await?;
    bench.others().await?;
    client.batch_execute("RESET work_mem").await?;
    client.batch_execute("RESET TIME ZONE").await?;
    bench.others().await?;
    seen.push(rows(&client, shown).await?);
    Ok(json!(seen))
}

async fn set_local(bench: &Bench) -> Seen {
    let client = bench.client().await?;
    let shown = "SELECT current_setting('work_mem'), current_setting('DateStyle')";
    client.batch_execute("SET work_mem = '5MB'").await?;
    client.batch_execute("BEGIN").await?;
    client.batch_execute("SET LOCAL work_mem = '6MB'").await?;
    let inside = rows(&client, shown).await?;
    client.batch_execute("COMMIT").await?;
    client.batch_execute("BEGIN").await?;
    client.batch_execute("SET DateStyle = 'SQL, DMY'").await?;
    client.batch_execute("ROLLBACK").await?;
    bench.others().await?;
    Ok(json!([inside, rows(&client, shown).await?]))
}

async fn temporary_table(bench: &Bench) -> Seen {
    let (client, neighbour) = (bench.client().await?, bench.client().await?);
    client
        .batch_execute("CREATE TEMPORARY TABLE own_rows (id int)")
        .await?;
    bench.others().await?;
    client
        .execute("INSERT INTO own_rows VALUES ($1)", &[&1])
        .await?;
    bench.others().await?;
    let hidden = fails(&neighbour, "SELECT * FROM own_rows").await?;
    client.batch_execute("BEGIN").await?;
    client
        .batch_execute("CREATE TEMPORARY TABLE own_short (id int) ON COMMIT DROP")
        .await?;
    client
        .batch_execute("INSERT INTO own_short SELECT * FROM own_rows")
        .await?;
    let inside = rows(&client, "SELECT * FROM own_short").await?;
    client.batch_execute("COMMIT").await?;
    let dropped = fails(&client, "SELECT * FROM own_short").await?;
    Ok(json!([
        hidden,
        inside,
        dropped,
        rows(&client, "SELECT * FROM own_rows").await?
    ]))
}

async fn advisory_lock(bench: &Bench) -> Seen {
    let (client, neighbour) = (bench.client().await?, bench.client().await?);
    let tried = "SELECT pg_try_advisory_lock(4743)";
    client
        .batch_execute("SELECT pg_advisory_lock(4743)")
        .await?;
    bench.others().await?;
    let held = rows(&neighbour, tried).await?;
    client.batch_execute("BEGIN").await?;
    client.batch_execute("COMMIT").await?;
    bench.others().await?;
    let still_held = rows(&neighbour, tried).await?;
    let unlocked = rows(
        &client,
        "SELECT pg_advisory_unlock(4743), pg_advisory_unlock(4743)",
    )
    .await?;
    Ok(json!([
        held,
        still_held,
        unlocked,
        rows(&neighbour, tried).await?
    ]))
}

async fn listen_notify(bench: &Bench) -> Seen {
    let mut listener = bench.open(&bench.config).await?;
    let neighbour = bench.client().await?;
    listener.client.batch_execute("LISTEN news_rust").await?;
    bench.others().await?;
    neighbour.batch_execute("NOTIFY news_rust, 'first'").await?;
    neighbour
        .batch_execute("SELECT pg_notify('other', 'not for us')")
        .await?;
    listener.client.batch_execute("BEGIN").await?;
    listener.client.batch_execute("COMMIT").await?;
    neighbour
        .query("SELECT pg_notify($1, $2)::text", &[&"news_rust", &"second"])
        .await?;
    let mut heard = Vec::new();
    while heard.len() < 2 {
        match listener.messages.recv().await {
            Some(AsyncMessage::Notification(one)) => {
                heard.push([one.channel().to_owned(), one.payload().to_owned()])
            }
            Some(_) => {}
            None => return Err(Failure::of("the connection ended")),
        }
    }
    listener.client.batch_execute("UNLISTEN news_rust").await?;
    neighbour.batch_execute("NOTIFY news_rust, 'third'").await?;
    listener.client.batch_execute("SELECT 1").await?;
    Ok(json!([heard, listener.messages.try_recv().is_err()]))
}

async fn cursor_hold(bench: &Bench) -> Seen {
    let (client, neighbour) = (bench.client().await?, bench.client().await?);
    client.batch_execute("BEGIN").await?;
    client
        .batch_execute("DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 10)")
        .await?;
    let mut seen = vec![rows(&client, "FETCH 2 FROM held").await?];
    client.batch_execute("COMMIT").await?;
    bench.others().await?;
    seen.push(rows(&client, "FETCH 3 FROM held").await?);
    seen.push(fails(&neighbour, "FETCH 1 FROM held").await?);
    bench.others().await?;
    seen.push(rows(&client, "FETCH ALL FROM held").await?);
    client.batch_execute("CLOSE held").await?;
    seen.push(fails(&client, "FETCH 1 FROM held").await?);
    Ok(json!(seen))
}

async fn sequence_value(bench: &Bench) -> Seen {
    let name = bench
        .table("sequence_value", "id serial, note text")
        .await?;
    let (client, neighbour, third) = (
        bench.client().await?,
        bench.client().await?,
        bench.client().await?,
    );
    client
        .batch_execute(&format!("INSERT INTO {name} (note) VALUES ('mine')"))
        .await?;
    bench.others().await?;
    neighbour
        .batch_execute(&format!("INSERT INTO {name} (note) VALUES ('another''s')"))
        .await?;
    let asked = format!("SELECT currval('{name}_id_seq'), lastval()");
    Ok(json!([
        rows(&client, &asked).await?,
        fails(&third, &asked).await?
    ]))
}
