-- The first tables of the library, as they were then. {key}, {bytes}, {whole} and {float} differ between databases.

CREATE TABLE accounts (
    id VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    tier VARCHAR(255) NOT NULL,
    created_at {whole} NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
);

CREATE TABLE audit (
    position {key},
    at {whole} NOT NULL,
    actor VARCHAR(255) NOT NULL,
    action VARCHAR(255) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    detail VARCHAR NOT NULL,
    digest VARCHAR(255) NOT NULL
);

CREATE TABLE workers (
    executor VARCHAR(255) NOT NULL,
    seen_at {float} NOT NULL,
    PRIMARY KEY (executor)
);

CREATE TABLE api_keys (
    id VARCHAR(255) NOT NULL,
    account_id VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    digest VARCHAR(255) NOT NULL,
    scopes VARCHAR(255) NOT NULL,
    created_at {whole} NOT NULL,
    expires_at {whole},
    revoked_at {whole},
    last_used_at {whole},
    PRIMARY KEY (id),
    FOREIGN KEY(account_id) REFERENCES accounts (id)
);

CREATE TABLE files (
    id VARCHAR(255) NOT NULL,
    account_id VARCHAR(255) NOT NULL,
    kind VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    created_at {whole} NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(account_id) REFERENCES accounts (id)
);

CREATE TABLE videos (
    position {key},
    id VARCHAR(255) NOT NULL,
    account_id VARCHAR(255) NOT NULL,
    sent_key VARCHAR(255),
    sent_digest VARCHAR(255),
    tool VARCHAR(255) NOT NULL,
    model VARCHAR(255) NOT NULL,
    prompt VARCHAR NOT NULL,
    size VARCHAR(255) NOT NULL,
    seconds VARCHAR(255) NOT NULL,
    request VARCHAR NOT NULL,
    remixed_from_video_id VARCHAR(255),
    status VARCHAR(255) NOT NULL,
    created_at {whole} NOT NULL,
    completed_at {whole},
    deleted_at {whole},
    error_code VARCHAR(255),
    error_message VARCHAR,
    priority {whole} NOT NULL,
    concurrent {whole} NOT NULL,
    credits {whole} NOT NULL,
    executor VARCHAR(255),
    attempts {whole} NOT NULL,
    progress {whole} NOT NULL,
    stage VARCHAR(255) NOT NULL,
    eta_seconds {whole},
    preview {bytes},
    UNIQUE (account_id, sent_key),
    UNIQUE (id),
    FOREIGN KEY(account_id) REFERENCES accounts (id)
);

CREATE INDEX videos_by_status ON videos (status);

CREATE INDEX videos_of_account ON videos (account_id, position);

CREATE TABLE webhook_endpoints (
    position {key},
    id VARCHAR(255) NOT NULL,
    account_id VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    url VARCHAR NOT NULL,
    event_types VARCHAR(255) NOT NULL,
    secret VARCHAR(255) NOT NULL,
    created_at {whole} NOT NULL,
    updated_at {whole} NOT NULL,
    UNIQUE (id),
    FOREIGN KEY(account_id) REFERENCES accounts (id)
);
