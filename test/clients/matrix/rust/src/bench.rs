//! The driver at one target, and what several features do.

use std::cell::RefCell;
use std::fmt;

use serde_json::{Value, json};
use tokio::task::AbortHandle;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, SimpleQueryMessage};

pub enum Failure {
    /// The driver has no such thing.
    Unsupported(&'static str),
    Driver(tokio_postgres::Error),
    Other(String),
}

impl Failure {
    pub fn of(what: &str) -> Self {
        Failure::Other(what.to_owned())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unsupported(why) => out.write_str(why),
            Failure::Driver(error) => write!(out, "{}", fault(error)),
            Failure::Other(what) => out.write_str(what),
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Failure::Driver(error)
    }
}

/// Fields of the server's error.
pub fn fault(error: &tokio_postgres::Error) -> Value {
    match error.as_db_error() {
        None => json!({ "message": error.to_string() }),
        Some(server) => json!({
            "severity": server.severity(), "sqlstate": server.code().code(), "message": server.message(),
            "detail": server.detail(), "table": server.table(), "constraint": server.constraint(),
            "position": server.position().map(|at| format!("{at:?}")),
        }),
    }
}

pub fn sqlstate(error: &tokio_postgres::Error) -> Value {
    json!(error.code().map(|code| code.code()))
}

pub struct Opened {
    pub client: Client,
    /// Ends the socket without a word to the server.
    pub connection: AbortHandle,
    pub messages: tokio::sync::mpsc::UnboundedReceiver<AsyncMessage>,
}

pub struct Bench {
    pub config: Config,
    neighbours: RefCell<Vec<Client>>,
}

impl Bench {
    pub fn new(target: &str) -> Self {
        let name = format!("HATI_MATRIX_{}", target.to_uppercase());
        let address =
            std::env::var(name).expect("scripts/compatibility.ts says where the target is");
        let config = address.parse().expect("an address that the driver reads");
        Bench {
            config,
            neighbours: RefCell::default(),
        }
    }

    pub async fn client(&self) -> Result<Client, tokio_postgres::Error> {
        Ok(self.open(&self.config).await?.client)
    }

    pub async fn open(&self, config: &Config) -> Result<Opened, tokio_postgres::Error> {
        let (client, mut connection) = config.connect(NoTls).await?;
        let (heard, messages) = tokio::sync::mpsc::unbounded_channel();
        let run = tokio::spawn(async move {
            while let Some(Ok(message)) =
                std::future::poll_fn(|context| connection.poll_message(context)).await
            {
                // Nobody may be listening.
                let _ = heard.send(message);
            }
        });
        Ok(Opened {
            client,
            connection: run.abort_handle(),
            messages,
        })
    }

    /// A fresh table. Its name is the same for both targets, which run one after the other.
    pub async fn table(&self, name: &str, columns: &str) -> Result<String, tokio_postgres::Error> {
        let whole = format!("rust_{name}");
        let sql = format!("DROP TABLE IF EXISTS {whole}; CREATE TABLE {whole} ({columns})");
        self.client().await?.batch_execute(&sql).await?;
        Ok(whole)
    }

    /// Neighbours with transactions and settings of their own: where engine connections are shared, the client under
    /// test has another one afterwards, or would find there what they left.
    pub async fn others(&self) -> Result<(), tokio_postgres::Error> {
        let mut clients = self.neighbours.take();
        while clients.len() < 2 {
            clients.push(self.client().await?);
        }
        futures_util::future::try_join_all(clients.iter().map(work)).await?;
        self.neighbours.replace(clients);
        Ok(())
    }
}

async fn work(client: &Client) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("SET work_mem = '9MB'").await?;
    client
        .batch_execute("SET matrix.own = 'a neighbour''s'")
        .await?;
    client.batch_execute("BEGIN").await?;
    client.query("SELECT $1::text", &[&"a neighbour"]).await?;
    client.batch_execute("SELECT pg_sleep(0.01)").await?;
    client.batch_execute("COMMIT").await
}

/// Rows as text, by the simple protocol.
pub async fn rows(client: &Client, sql: &str) -> Result<Value, tokio_postgres::Error> {
    let mut all = Vec::new();
    for message in client.simple_query(sql).await? {
        if let SimpleQueryMessage::Row(row) = message {
            all.push(
                (0..row.len())
                    .map(|column| row.get(column).map(str::to_owned))
                    .collect::<Vec<_>>(),
            );
        }
    }
    Ok(json!(all))
}

/// The error that a statement ends with.
pub async fn fails(client: &Client, sql: &str) -> Result<Value, Failure> {
    match client.batch_execute(sql).await {
        Err(error) => Ok(sqlstate(&error)),
        Ok(()) => Err(Failure::Other(format!("it did not fail: {sql}"))),
    }
}
