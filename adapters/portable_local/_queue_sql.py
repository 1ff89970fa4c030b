"""How messages lie in SQLite: a row each, and one index that says which may be received next.

`due` is when a message may be received: when its delay or its lease ends. Of an ordering group only the first message
has one, which is not before every lease in the group is over; those behind it have none, so that no receiver meets them
and messages without a group pay nothing for groups. `ready` is the same moment without regard to the group. Both are in
milliseconds since the epoch.
"""
# ruff: noqa: S608  # the statements are put together from the constants of this module, and nothing else

from __future__ import annotations

SCHEMA = """
CREATE TABLE message (
    seq INTEGER PRIMARY KEY, queue TEXT NOT NULL, id TEXT NOT NULL, due INTEGER, ready INTEGER NOT NULL,
    leased INTEGER NOT NULL, attempt INTEGER NOT NULL, sent REAL NOT NULL, grp TEXT, attributes TEXT, body BLOB NOT NULL
);
CREATE INDEX message_due ON message (queue, due) WHERE due IS NOT NULL;
CREATE INDEX message_group ON message (queue, grp) WHERE grp IS NOT NULL;
CREATE INDEX message_group_lease ON message (queue, grp, ready) WHERE grp IS NOT NULL AND leased = 1;
CREATE TABLE dedup (
    queue TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (queue, key)
) WITHOUT ROWID;
CREATE INDEX dedup_until ON dedup (until);
"""

# Sending. What goes into a group that has messages is not due: it waits behind them.
_INTO = "INSERT INTO message (queue, id, due, ready, leased, attempt, sent, attributes, body, grp)"
_BEHIND_OTHERS = "EXISTS (SELECT 1 FROM message AS other WHERE other.queue = new.queue AND other.grp = new.grp)"
_NEW = f"queue, id, CASE WHEN {_BEHIND_OTHERS} THEN NULL ELSE ready END, ready, 0, 0, sent, attributes, body, grp"
SEND = f"{_INTO} VALUES (?, ?, ?, ?, 0, 0, ?, ?, ?, NULL)"
SEND_IN_GROUP = (
    f"{_INTO} SELECT {_NEW} FROM"
    " (SELECT ? AS queue, ? AS id, ? AS ready, ? AS sent, ? AS attributes, ? AS body, ? AS grp) AS new"
)
FORGET = "DELETE FROM dedup WHERE until <= ?"
REMEMBERED = "SELECT id FROM dedup WHERE queue = ? AND key = ?"
REMEMBER = "INSERT INTO dedup (queue, key, id, until) VALUES (?, ?, ?, ?)"

# Receiving.
NEXT_DUE = "SELECT due FROM message WHERE queue = ? AND due IS NOT NULL ORDER BY due LIMIT 1"
_COLUMNS = "seq, id, attempt, grp, sent, attributes, body, ready"
DUE = f"SELECT {_COLUMNS} FROM message WHERE queue = ? AND due <= ? ORDER BY due, seq LIMIT ?"
BEHIND = f"SELECT {_COLUMNS} FROM message WHERE queue = ? AND grp = ? AND seq > ? ORDER BY seq LIMIT ?"
_MOMENT = "due = CASE WHEN due IS NULL THEN NULL ELSE ? END, ready = ?"
LEASE = f"UPDATE message SET {_MOMENT}, leased = 1, attempt = attempt + 1 WHERE seq = ?"

# Settling. The number alone does not name a delivery: SQLite gives that of a deleted last row to the next one.
_DELIVERY = "seq = ? AND id = ? AND attempt = ? AND leased = 1"
ACK = f"DELETE FROM message WHERE {_DELIVERY}"
RETRY = f"UPDATE message SET {_MOMENT}, leased = 0 WHERE {_DELIVERY}"
EXTEND = f"UPDATE message SET {_MOMENT} WHERE {_DELIVERY} AND ready > ?"

# To the end of another queue.
MOVE = (
    f"{_INTO} SELECT {_NEW} FROM"
    " (SELECT ? AS queue, ? AS ready, id, sent, attributes, body, grp FROM message WHERE seq = ?) AS new"
)
REMOVE = "DELETE FROM message WHERE seq = ?"

# After the first of a group is gone or has another moment, or a lease in it has ended.
FIRST_OF_GROUP = (
    "UPDATE message SET due = max(ready, coalesce("
    "(SELECT max(ready) FROM message WHERE queue = ? AND grp = ? AND leased = 1), 0))"
    " WHERE seq = (SELECT min(seq) FROM message WHERE queue = ? AND grp = ?)"
)
