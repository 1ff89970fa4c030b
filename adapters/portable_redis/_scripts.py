"""What a table does inside the server, in Lua: each script runs whole, with nothing of anybody else's in between.

The keys of one table, in 64 groups of partitions; the braces keep a group in one slot of a Redis Cluster:

    {entries:17}:item:<partition> TAB <sort>    a hash: value (JSON), version, expires (seconds since the epoch)
    {entries:17}:keys                           a sorted set of all "<partition> TAB <sort>" of the group, score 0
    {entries:17}:expiring                       those among them that expire, by when

Redis removes an item that expires by itself; its key goes out of the sets when a script next comes by, or with the
sets, which expire too where all of their items do.
"""

from __future__ import annotations

from hashlib import sha1

from portable_contracts._value import Value


class Script(Value):
    """A script, and the name by which the server knows it once it has seen it."""

    text: str
    sha: str


def _script(text: str) -> Script:
    return Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


# KEYS[1] is an item, and tells the rest; or the set of a group's keys. ARGV begins with now.
_HEAD = """
local now = tonumber(ARGV[1])
local tag, rest = KEYS[1]:match('^({[^}]*}:)(.*)$')
local index, expiring, items = tag .. 'keys', tag .. 'expiring', tag .. 'item:'
local key, member = KEYS[1], rest:sub(6)
"""

_WRITING = (
    _HEAD
    + """
local function version_of(key)
    local item = redis.call('HMGET', key, 'version', 'expires')
    if item[2] and tonumber(item[2]) <= now then return false end
    return item[1]
end

local function sweep()
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', expiring, '-inf', now, 'LIMIT', 0, 10)) do
        if redis.call('EXISTS', items .. member) == 0 then
            redis.call('ZREM', index, member)
            redis.call('ZREM', expiring, member)
        end
    end
end

local function write(key, member, value, version, expires)
    if expires == '' then
        if redis.call('HSET', key, 'value', value, 'version', version) > 0 then
            redis.call('ZADD', index, 0, member)
            redis.call('ZREM', expiring, member)
            redis.call('PERSIST', index)
            sweep()
        elseif redis.call('HDEL', key, 'expires') == 1 then
            redis.call('PERSIST', key)
            redis.call('ZREM', expiring, member)
            redis.call('PERSIST', index)
        end
        return
    end
    redis.call('HSET', key, 'value', value, 'version', version, 'expires', expires)
    redis.call('ZADD', index, 0, member)
    redis.call('ZADD', expiring, expires, member)
    redis.call('PEXPIREAT', key, string.format('%.0f', math.max(1, math.ceil(expires * 1000))))
    if redis.call('ZCARD', index) == redis.call('ZCARD', expiring) then
        local last = redis.call('ZREVRANGE', expiring, 0, 0, 'WITHSCORES')[2]
        local moment = string.format('%.0f', math.max(1, math.ceil(last * 1000)) + 60000)
        redis.call('PEXPIREAT', index, moment)
        redis.call('PEXPIREAT', expiring, moment)
    else
        redis.call('PERSIST', expiring)
    end
    sweep()
end

local function remove(key, member)
    if redis.call('DEL', key) == 1 then
        redis.call('ZREM', index, member)
        redis.call('ZREM', expiring, member)
    end
    sweep()
end
"""
)

# A guarded write that finds its own version there was done before: the answer was lost, and it was sent again.
PUT = _script(
    _WRITING
    + """
local value, version, expires, guard = ARGV[2], ARGV[3], ARGV[4] or '', ARGV[5]
if guard then
    local found = version_of(key)
    if found ~= version then
        if guard == 'absent' then
            if found then return 'exists' end
        elseif found ~= ARGV[6] then
            return 'conflict'
        end
    end
end
write(key, member, value, version, expires)
return 'done'
"""
)

DELETE = _script(
    _WRITING
    + """
if ARGV[2] and version_of(key) ~= ARGV[2] then return 'conflict' end
remove(key, member)
return 'done'
"""
)

# Five of ARGV for each operation: what it is, its value, version and expiry, and the version to be over.
TRANSACT = _script(
    _WRITING
    + """
local refused, reasons = false, {}
for place, each in ipairs(KEYS) do
    local at = place * 5 - 3
    local what, version, guard = ARGV[at], ARGV[at + 2], ARGV[at + 4]
    local found = version_of(each)
    local reason = ''
    if what ~= 'delete' and found == version then return {'done'} end
    if what == 'create' and found then
        reason = 'exists'
    elseif guard ~= '' and found ~= guard then
        reason = 'conflict'
    end
    refused = refused or reason ~= ''
    reasons[place] = reason
end
if refused then return reasons end
for place, each in ipairs(KEYS) do
    local at = place * 5 - 3
    if ARGV[at] == 'delete' then
        remove(each, each:sub(#items + 1))
    else
        write(each, each:sub(#items + 1), ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
    end
end
return {'done'}
"""
)

# The value stays text: Lua's numbers are doubles, and its JSON does not tell an empty list from an empty map.
INCREMENT = _script(
    _WRITING
    + """
local version, name, by = ARGV[2], ARGV[3], ARGV[4]

local function end_of_text(text, at)
    at = at + 1
    while true do
        at = text:find('["\\\\]', at)
        if text:byte(at) == 34 then return at end
        at = at + 2
    end
end

local function end_of_value(text, at)
    local first = text:sub(at, at)
    if first == '"' then return end_of_text(text, at) end
    if first ~= '{' and first ~= '[' then return text:find('[,}]', at) - 1 end
    local depth = 0
    while true do
        at = text:find('["%[%]{}]', at)
        local found = text:sub(at, at)
        if found == '"' then
            at = end_of_text(text, at)
        else
            depth = depth + ((found == '{' or found == '[') and 1 or -1)
            if depth == 0 then return at end
        end
        at = at + 1
    end
end

local function place_of(text, name)
    local at = 2
    while text:sub(at, at) == '"' do
        local close = end_of_text(text, at)
        local last = end_of_value(text, close + 2)
        if text:sub(at, close) == name then return close + 2, last end
        at = last + 2
    end
end

local function sum_of(before, by)
    local one, other = tonumber(before), tonumber(by)
    if math.abs(one) < 2 ^ 52 and math.abs(other) < 2 ^ 52 then return string.format('%.0f', one + other) end
    redis.call('HSET', key, 'sum', before)
    local refusal = redis.pcall('HINCRBY', key, 'sum', by)
    local sum = redis.call('HGET', key, 'sum')
    redis.call('HDEL', key, 'sum')
    if type(refusal) == 'table' then return nil end
    return sum
end

local item = redis.call('HMGET', key, 'value', 'expires')
local text = item[1]
if not text or item[2] and tonumber(item[2]) <= now then
    write(key, member, '{' .. name .. ':' .. by .. '}', version, '')
    return {'done', by}
end
if text:sub(1, 1) ~= '{' or text:sub(1, 10) == '{"$bytes":' then return {'no map'} end
local sum = by
local first, last = place_of(text, name)
if first then
    local before = text:sub(first, last)
    if not before:find('^%-?%d+$') then return {'no int', before:sub(1, 40)} end
    sum = sum_of(before, by)
    if not sum then return {'too large'} end
    text = text:sub(1, first - 1) .. sum .. text:sub(last + 1)
else
    text = text:sub(1, -2) .. (text == '{}' and '' or ',') .. name .. ':' .. by .. '}'
end
redis.call('HSET', key, 'value', text, 'version', version)
return {'done', sum}
"""
)

# The first of what it gives is the last key that was looked at, empty at the end; then each item in one piece.
READ = _script(
    _HEAD
    + """
local limit, budget = tonumber(ARGV[5]), tonumber(ARGV[6])
local found = {''}
local members = redis.call(ARGV[2], index, ARGV[3], ARGV[4], 'LIMIT', 0, limit + 1)
for place, member in ipairs(members) do
    if place > limit or budget < 0 then
        found[1] = members[place - 1]
        return found
    end
    local item = redis.call('HMGET', items .. member, 'value', 'version', 'expires')
    if not item[1] then
        redis.call('ZREM', index, member)
        redis.call('ZREM', expiring, member)
    elseif not item[3] or tonumber(item[3]) > now then
        found[#found + 1] = table.concat({member, item[2], item[3] or '', item[1]}, '\\n')
        budget = budget - #item[1]
    end
end
return found
"""
)
