"""The SQL of one table and of its change feed; `{table}` is a name of ours that needs no escaping."""

from __future__ import annotations

# A deletion is an update of `deleted`, so that whoever records changes learns when it was.
SCHEMA = """
CREATE TABLE "{table}" (
    id INTEGER PRIMARY KEY,
    partition TEXT NOT NULL,
    sort TEXT NOT NULL,
    value TEXT NOT NULL,
    version TEXT NOT NULL,
    expires REAL,
    written REAL NOT NULL,
    deleted REAL,
    UNIQUE (partition, sort)
);
CREATE INDEX "{table}/expires" ON "{table}" (expires) WHERE expires IS NOT NULL;
CREATE TRIGGER "{table}/deleted" AFTER UPDATE OF deleted ON "{table}" BEGIN
    DELETE FROM "{table}" WHERE id = NEW.id;
END;
CREATE TABLE "{table}/changes" (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    partition TEXT NOT NULL,
    sort TEXT NOT NULL,
    kind TEXT NOT NULL,
    old TEXT,
    new TEXT,
    time REAL NOT NULL
);
CREATE TABLE "{table}/consumers" (consumer TEXT PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;
"""

GET = 'SELECT value, version, expires FROM "{table}" WHERE partition = ? AND sort = ?'
PUT = """
INSERT INTO "{table}" (value, version, expires, written, partition, sort) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (partition, sort) DO UPDATE
SET value = excluded.value, version = excluded.version, expires = excluded.expires, written = excluded.written
"""
PUT_ABSENT = PUT + "WHERE expires <= excluded.written"
PUT_VERSION = """
UPDATE "{table}" SET value = ?, version = ?, expires = ?, written = ?
WHERE partition = ? AND sort = ? AND version = ? AND (expires IS NULL OR expires > ?)
"""
DELETE = 'UPDATE "{table}" SET deleted = ? WHERE partition = ? AND sort = ?'
DELETE_VERSION = DELETE + " AND version = ? AND (expires IS NULL OR expires > ?)"
ITEMS = 'SELECT id, partition, sort, value, version, expires FROM "{table}" WHERE (expires IS NULL OR expires > ?) AND '
QUERY = ITEMS + "partition = ?{bounds} ORDER BY sort {order} LIMIT ?"
SCAN = ITEMS + "id > ? AND id % ? = ? ORDER BY id LIMIT ?"
SWEEP = """
UPDATE "{table}" SET deleted = ? WHERE id IN (SELECT id FROM "{table}" WHERE expires <= ? ORDER BY expires LIMIT ?)
"""
SWEEP_CHANGES = """
DELETE FROM "{table}/changes" WHERE id IN
(SELECT id FROM (SELECT id, time FROM "{table}/changes" ORDER BY id LIMIT ?) WHERE time <= ?)
"""

# An item that is written over after it expired was gone before: its deletion and its creation are two changes.
# What the sqlite3 shell deletes has no moment of ours.
RECORD = """
CREATE TRIGGER IF NOT EXISTS "{table}/created" AFTER INSERT ON "{table}" BEGIN
    INSERT INTO "{table}/changes" (partition, sort, kind, old, new, time)
    VALUES (NEW.partition, NEW.sort, 'created', NULL, NEW.value, NEW.written);
END;
CREATE TRIGGER IF NOT EXISTS "{table}/updated" AFTER UPDATE OF value ON "{table}"
WHEN OLD.expires IS NULL OR OLD.expires > NEW.written BEGIN
    INSERT INTO "{table}/changes" (partition, sort, kind, old, new, time)
    VALUES (NEW.partition, NEW.sort, 'updated', OLD.value, NEW.value, NEW.written);
END;
CREATE TRIGGER IF NOT EXISTS "{table}/created again" AFTER UPDATE OF value ON "{table}"
WHEN OLD.expires <= NEW.written BEGIN
    INSERT INTO "{table}/changes" (partition, sort, kind, old, new, time)
    VALUES (OLD.partition, OLD.sort, 'deleted', OLD.value, NULL, NEW.written),
           (NEW.partition, NEW.sort, 'created', NULL, NEW.value, NEW.written);
END;
CREATE TRIGGER IF NOT EXISTS "{table}/removed" AFTER DELETE ON "{table}" BEGIN
    INSERT INTO "{table}/changes" (partition, sort, kind, old, new, time)
    VALUES (OLD.partition, OLD.sort, 'deleted', OLD.value, NULL,
            coalesce(OLD.deleted, (julianday('now') - 2440587.5) * 86400.0));
END;
"""

PLACE = 'SELECT place FROM "{table}/consumers" WHERE consumer = ?'
JOIN = """
INSERT OR IGNORE INTO "{table}/consumers"
VALUES (?, coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}/changes'), 0))
"""
READ = """
SELECT id, partition, sort, kind, old, new, time FROM "{table}/changes"
WHERE id > (SELECT place FROM "{table}/consumers" WHERE consumer = ?) ORDER BY id LIMIT ?
"""
MOVE = 'UPDATE "{table}/consumers" SET place = ? WHERE consumer = ? AND place < ?'
TRIM = 'DELETE FROM "{table}/changes" WHERE id <= (SELECT min(place) FROM "{table}/consumers")'
