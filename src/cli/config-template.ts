/** The config.toml that `hati init` writes: what is in force, and the next things a person will want to change. */
export function configTemplate(port: number): string {
  return `# HatiData: the configuration of this project's proxy.
# Environment variables (HATIDATA_…) go before this file, flags before both. All settings: docs/configuration.md

[proxy]
# localhost means this machine only. To serve others, set dev_mode = false and give a [tls] section.
listen = "localhost:${port}"
# Load balancers in front; they have to send the PROXY protocol, version 2.
# trusted_proxies = ["10.0.7.0/24"]

[dev]
# A client on this machine that gives no key is the administrator.
dev_mode = true
# Let psql and other libpq clients do so without asking for a password (lines in ~/.pgpass while the proxy runs).
pgpass = true

# [tls]
# cert_path = "tls/cert.pem"
# key_path = "tls/key.pem"

# [engine]
# A PostgreSQL of your own in place of the embedded one; prepare it with: hati engine prepare URL
# url = "postgres://user@host:5432/database"
# reader_url = "postgres://reader@host:5432/database"

# [control]
# Where keys and their history are kept; by default in the embedded PostgreSQL.
# database_url = "postgres://user@host:5432/hatidata_control"

# [limits]
# connections = 500

# [metrics]
# Prometheus metrics, /health and /ready; they hold no text of any client.
# listen = "localhost:9090"

# [log]
# level = "info"
`;
}
