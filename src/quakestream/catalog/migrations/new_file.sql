CREATE TABLE address_uses (
	subscription TEXT NOT NULL,
	channel TEXT NOT NULL,
	target TEXT NOT NULL,
	PRIMARY KEY (subscription, channel, target)
);
CREATE TABLE addresses (
	target TEXT NOT NULL,
	id TEXT NOT NULL,
	asked_ms BIGINT NOT NULL,
	confirmed_ms BIGINT,
	PRIMARY KEY (target),
	CONSTRAINT addresses_by_id UNIQUE (id)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE boots (
	boot TEXT NOT NULL,
	began_ms BIGINT NOT NULL,
	PRIMARY KEY (boot)
);
CREATE TABLE changes (
	seq INTEGER NOT NULL,
	type TEXT NOT NULL,
	earthquake BIGINT NOT NULL,
	at_ms BIGINT NOT NULL,
	why TEXT NOT NULL,
	document BLOB NOT NULL,
	from_id TEXT,
	into_id TEXT, imported BOOLEAN DEFAULT 0 NOT NULL,
	PRIMARY KEY (seq)
);
CREATE TABLE claims (
	name TEXT NOT NULL,
	mode TEXT NOT NULL,
	report BIGINT NOT NULL,
	PRIMARY KEY (name, mode, report)
)
 WITHOUT ROWID;
CREATE TABLE earthquakes (
	earthquake INTEGER NOT NULL,
	id TEXT NOT NULL,
	mode TEXT NOT NULL,
	revision INTEGER NOT NULL,
	seq BIGINT NOT NULL,
	first_seen_ms BIGINT NOT NULL,
	deleted BOOLEAN NOT NULL,
	timestamp_ms BIGINT NOT NULL,
	magnitude DOUBLE,
	depth_km DOUBLE,
	latitude DOUBLE NOT NULL,
	longitude DOUBLE NOT NULL, merged_into BIGINT, largest_magnitude DOUBLE, cell INTEGER DEFAULT '0' NOT NULL, type TEXT DEFAULT '' NOT NULL, magnitude_type TEXT, agency TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (earthquake),
	CONSTRAINT earthquakes_by_id UNIQUE (id)
);
CREATE TABLE events (
	report BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL,
	content_hash BLOB NOT NULL,
	updated_stated BOOLEAN NOT NULL,
	logged_ms BIGINT NOT NULL,
	seq BIGINT NOT NULL,
	document BLOB NOT NULL,
	PRIMARY KEY (report, updated_ms, content_hash)
)
 WITHOUT ROWID;
CREATE TABLE feed (
	one SMALLINT NOT NULL CHECK (one = 1),
	catalog_id TEXT NOT NULL,
	epoch TEXT NOT NULL,
	last_seq BIGINT NOT NULL,
	last_report BIGINT NOT NULL,
	last_earthquake BIGINT NOT NULL, first_seq BIGINT DEFAULT '1' NOT NULL,
	PRIMARY KEY (one)
);
CREATE TABLE followers (
	name TEXT NOT NULL,
	epoch TEXT NOT NULL,
	after_seq BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL,
	owner TEXT NOT NULL,
	lease_until_ms BIGINT NOT NULL,
	PRIMARY KEY (name)
);
CREATE TABLE judgements (
	mode TEXT NOT NULL,
	one TEXT NOT NULL,
	other TEXT NOT NULL,
	at_ms BIGINT NOT NULL,
	what TEXT NOT NULL,
	who TEXT NOT NULL,
	why TEXT NOT NULL,
	PRIMARY KEY (mode, one, other, at_ms, what, who, why)
)
 WITHOUT ROWID;
CREATE TABLE notifications (
	notification INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	"key" TEXT NOT NULL,
	subscription TEXT NOT NULL,
	earthquake TEXT NOT NULL,
	revision INTEGER NOT NULL,
	seq BIGINT NOT NULL,
	kind TEXT NOT NULL,
	mode TEXT NOT NULL,
	channel TEXT NOT NULL,
	target TEXT NOT NULL,
	priority SMALLINT NOT NULL,
	facts BLOB NOT NULL,
	state TEXT NOT NULL,
	why TEXT DEFAULT '' NOT NULL,
	attempts INTEGER DEFAULT '0' NOT NULL,
	maybe_told BOOLEAN DEFAULT 0 NOT NULL,
	created_ms BIGINT NOT NULL,
	next_ms BIGINT NOT NULL,
	expires_ms BIGINT NOT NULL,
	settled_ms BIGINT,
	waits_for BIGINT,
	lease_owner TEXT,
	lease_until_ms BIGINT, epoch TEXT DEFAULT '' NOT NULL,
	CONSTRAINT notifications_by_key UNIQUE ("key")
);
CREATE TABLE positions (
	log_id TEXT NOT NULL,
	topic TEXT NOT NULL,
	partition INTEGER NOT NULL,
	group_id TEXT NOT NULL,
	topic_id TEXT NOT NULL,
	next_offset BIGINT,
	owner_epoch BIGINT NOT NULL, fingerprint BLOB,
	PRIMARY KEY (log_id, topic, partition, group_id)
);
CREATE TABLE reporters (
	mode TEXT NOT NULL,
	source TEXT NOT NULL,
	agency TEXT NOT NULL,
	PRIMARY KEY (mode, source, agency)
)
 WITHOUT ROWID;
CREATE TABLE "reports" (
	report INTEGER NOT NULL,
	mode TEXT NOT NULL,
	source TEXT NOT NULL,
	id TEXT NOT NULL,
	earthquake BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL,
	content_hash BLOB NOT NULL,
	timestamp_ms BIGINT DEFAULT '0' NOT NULL,
	PRIMARY KEY (report),
	CONSTRAINT reports_by_name UNIQUE (id, source, mode)
);
CREATE TABLE secrets (
	name TEXT NOT NULL,
	value BLOB NOT NULL,
	PRIMARY KEY (name)
);
CREATE TABLE subscriptions (
	id TEXT NOT NULL,
	subscriber TEXT NOT NULL,
	origin TEXT NOT NULL,
	document BLOB NOT NULL,
	compiled BLOB,
	version BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	changed_ms BIGINT NOT NULL,
	removed BOOLEAN DEFAULT 0 NOT NULL, ended TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX address_uses_by_target ON address_uses (target);
CREATE INDEX addresses_unasked ON addresses (target) WHERE asked_ms = 0;
CREATE INDEX changes_by_earthquake ON changes (earthquake, seq);
CREATE INDEX earthquakes_by_agency ON earthquakes (agency, timestamp_ms, earthquake);
CREATE INDEX earthquakes_by_magnitude ON earthquakes
    (magnitude DESC, timestamp_ms DESC, earthquake DESC, latitude, longitude, depth_km, mode, deleted, merged_into);
CREATE INDEX earthquakes_by_magnitude_type ON earthquakes (magnitude_type, timestamp_ms, earthquake);
CREATE INDEX earthquakes_by_place ON earthquakes
    (cell, timestamp_ms, latitude, longitude, magnitude, depth_km, mode, deleted, merged_into);
CREATE INDEX earthquakes_by_time ON earthquakes (timestamp_ms, earthquake);
CREATE INDEX earthquakes_by_type ON earthquakes (type, timestamp_ms, earthquake) WHERE type <> 'earthquake';
CREATE INDEX earthquakes_merged ON earthquakes (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX events_by_seq ON events (seq);
CREATE INDEX events_first_seen ON events (report, content_hash) WHERE updated_stated IS 0;
CREATE INDEX notifications_by_earthquake ON notifications (earthquake, subscription);
CREATE INDEX notifications_by_subscription ON notifications (subscription);
CREATE INDEX notifications_dead ON notifications (settled_ms) WHERE state = 'dead';
CREATE INDEX notifications_due ON notifications (channel, priority, next_ms, target) WHERE state = 'queued' AND waits_for IS NULL;
CREATE INDEX notifications_leased ON notifications (lease_until_ms) WHERE state = 'sending';
CREATE INDEX notifications_waiting ON notifications (waits_for) WHERE waits_for IS NOT NULL;
CREATE INDEX reports_by_earthquake ON reports (earthquake);
CREATE INDEX reports_by_time ON reports (mode, timestamp_ms);
CREATE INDEX subscriptions_by_subscriber ON subscriptions (subscriber);
CREATE INDEX subscriptions_by_version ON subscriptions (version);
