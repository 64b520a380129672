-- What a database of version 5 was, the last one before there were revisions (`iterdump` of an empty one).
PRAGMA user_version = 5;
BEGIN TRANSACTION;
CREATE TABLE accessions (
    project TEXT NOT NULL,
    accession TEXT NOT NULL,
    study TEXT NOT NULL,
    PRIMARY KEY (project, accession, study)
);
CREATE TABLE batches (
    batch_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    time TEXT NOT NULL,
    size INTEGER NOT NULL,
    root TEXT NOT NULL,
    signature TEXT NOT NULL,
    public_key TEXT NOT NULL,
    event_index INTEGER NOT NULL,
    PRIMARY KEY (batch_id),
    FOREIGN KEY(run_id) REFERENCES runs (run_id),
    FOREIGN KEY(event_index) REFERENCES events (idx)
);
CREATE TABLE checkpoints (
    size INTEGER NOT NULL,
    note TEXT NOT NULL,
    frontier BLOB NOT NULL,
    PRIMARY KEY (size)
);
CREATE TABLE contents (
    path TEXT NOT NULL,
    made_from TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (path)
);
CREATE TABLE doubts (
    run_id TEXT NOT NULL,
    path TEXT NOT NULL,
    says TEXT NOT NULL,
    PRIMARY KEY (run_id, path, says)
);
CREATE TABLE events (
    idx INTEGER NOT NULL,
    leaf_hash BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (idx)
);
CREATE TABLE outcomes (
    run_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    sealed_source BLOB NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    output TEXT,
    source_digest TEXT,
    PRIMARY KEY (run_id, position),
    FOREIGN KEY(run_id) REFERENCES runs (run_id)
);
CREATE TABLE pending (
    path TEXT NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (path),
    FOREIGN KEY(run_id) REFERENCES runs (run_id)
);
CREATE TABLE receipts (
    receipt_id TEXT NOT NULL,
    project TEXT NOT NULL,
    patient TEXT NOT NULL,
    study TEXT NOT NULL,
    series TEXT NOT NULL,
    instance TEXT NOT NULL,
    path TEXT NOT NULL,
    source_digest TEXT NOT NULL,
    policy_digest TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    batch_index INTEGER NOT NULL,
    superseded BOOLEAN NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (batch_id, batch_index),
    FOREIGN KEY(batch_id) REFERENCES batches (batch_id)
);
CREATE TABLE release_receipts (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    receipt_id TEXT NOT NULL,
    PRIMARY KEY (name, version, receipt_id),
    FOREIGN KEY(name, version) REFERENCES releases (name, version)
);
CREATE TABLE releases (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    project TEXT NOT NULL,
    manifest_digest TEXT NOT NULL,
    time TEXT NOT NULL,
    PRIMARY KEY (name, version)
);
CREATE TABLE rulings (
    number INTEGER NOT NULL,
    ruling_id TEXT NOT NULL,
    source_digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    boxes TEXT NOT NULL,
    sealed_reason BLOB NOT NULL,
    actor TEXT NOT NULL,
    account TEXT NOT NULL,
    time TEXT NOT NULL,
    PRIMARY KEY (number),
    UNIQUE (ruling_id)
);
CREATE TABLE runs (
    number INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    project TEXT NOT NULL,
    policy TEXT NOT NULL,
    policy_digest TEXT NOT NULL,
    started TEXT NOT NULL,
    finished TEXT,
    status TEXT NOT NULL,
    sources INTEGER,
    sealed_request BLOB NOT NULL,
    PRIMARY KEY (number),
    UNIQUE (run_id)
);
CREATE TABLE said (
    path TEXT NOT NULL,
    says TEXT NOT NULL,
    said_in TEXT NOT NULL,
    sealed_told BLOB,
    PRIMARY KEY (path)
);
CREATE TABLE shards (
    run_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    done BOOLEAN NOT NULL,
    PRIMARY KEY (run_id, number),
    FOREIGN KEY(run_id) REFERENCES runs (run_id)
);
CREATE TABLE studies (
    project TEXT NOT NULL,
    study TEXT NOT NULL,
    patient TEXT NOT NULL,
    sealed_known BLOB NOT NULL,
    PRIMARY KEY (project, study, patient)
);
CREATE INDEX ix_rulings_source_digest ON rulings (source_digest);
CREATE INDEX ix_studies_patient ON studies (patient);
CREATE INDEX accessions_of_study ON accessions (study, project, accession);
CREATE INDEX ix_outcomes_sealed_source ON outcomes (sealed_source);
CREATE INDEX ix_release_receipts_receipt_id ON release_receipts (receipt_id);
CREATE INDEX ix_receipts_receipt_id ON receipts (receipt_id);
CREATE INDEX ix_receipts_sha256 ON receipts (sha256);
CREATE INDEX ix_receipts_source_digest ON receipts (source_digest);
CREATE INDEX ix_receipts_patient ON receipts (patient);
CREATE INDEX ix_receipts_series ON receipts (series);
CREATE INDEX ix_receipts_instance ON receipts (instance);
CREATE INDEX ix_receipts_study ON receipts (study);
CREATE INDEX ix_receipts_path ON receipts (path);
CREATE UNIQUE INDEX receipts_current_path ON receipts (path) WHERE superseded IS 0;
CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER checkpoints_no_delete BEFORE DELETE ON checkpoints BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER rulings_no_update BEFORE UPDATE ON rulings BEGIN SELECT RAISE(ABORT, 'rulings are append-only'); END;
CREATE TRIGGER rulings_no_delete BEFORE DELETE ON rulings BEGIN SELECT RAISE(ABORT, 'rulings are append-only'); END;
COMMIT;
