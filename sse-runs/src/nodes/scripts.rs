//! The scripts of the claims. `KEYS[1]` is the log and `ARGV[1]` the number of entries that the log keeps.
//!
//! | key | content |
//! |---|---|
//! | `{LOG}:run:TOPIC` | the claim of a run: `t` token, `n` node, `s` state, `q` number of the last write, `e` the entry that a node must have read, `x` the request that stopped or removed the run, `a` when a node last had subscribers |
//! | `{LOG}:run-nodes:PREFIX` | a sorted set: the end of each node's lease in milliseconds, and `last`, the time of the last beat |
//! | `{LOG}:run-node:NODE` | the set of the topics of the node's runs |
//!
//! An entry ID in a claim is `POSITION/PUBLISH-ID`. All times are those of the server.

/// `KEYS`: claim, nodes, set. `ARGV`: token, node, topic, lease, fresh, kept, replaces an ended run, publish ID and fields of a
/// removal.
pub(super) const CLAIM: &str = "
local c = redis.call('HMGET', KEYS[2], 't', 's', 'e')
if c[1] == ARGV[2] then return {'ok', c[3] or ''} end
if redis.call('EXISTS', KEYS[1]) == 0 then return {'no log'} end
local e = ''
if c[2] == 'removed' then e = c[3] or ''
elseif c[2] and not (c[2] == 'ended' and ARGV[8] == '1') then return {c[2], c[3] or ''}
elseif not c[2] and ARGV[7] == '1' and ARGV[8] == '0' then return {'ended', ''}
elseif ARGV[6] == '0' then
  e = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, 10)) .. '/' .. ARGV[9]
end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 't', ARGV[2], 'n', ARGV[3], 's', 'active', 'q', 0, 'e', e)
redis.call('SADD', KEYS[4], ARGV[4])
local time = redis.call('TIME')
redis.call('ZADD', KEYS[3], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[5], ARGV[3])
return {'ok', e}";

/// `KEYS`: claim, set. `ARGV`: token, number, whether the number follows from the last write, ends, age, topic, and for each entry the number of fields, publish ID and fields.
pub(super) const WRITE: &str = "
local c = redis.call('HMGET', KEYS[2], 't', 's', 'q')
if c[1] ~= ARGV[2] then return {c[1] and 'other' or 'none'} end
if tonumber(c[3]) >= tonumber(ARGV[3]) then return {'ok'} end
if c[2] == 'ended' or c[2] == 'removed' then return {c[2]} end
if ARGV[4] == '1' and tonumber(c[3]) + 1 ~= tonumber(ARGV[3]) then return {'behind'} end
if redis.call('EXISTS', KEYS[1]) == 0 then return {'no log'} end
local i, e = 8, ''
while i <= #ARGV do
  local last = i + 1 + ARGV[i]
  e = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, i + 2, last)) .. '/' .. ARGV[i + 1]
  i = last + 1
end
redis.call('HSET', KEYS[2], 'q', ARGV[3])
if ARGV[5] == '1' then
  redis.call('HSET', KEYS[2], 's', 'ended', 'e', e)
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
  redis.call('SREM', KEYS[3], ARGV[7])
end
return {'ok'}";

/// `KEYS`: claim. `ARGV`: the token of no attempt, age, publish ID and fields.
pub(super) const REPAIR: &str = "
if redis.call('EXISTS', KEYS[2]) == 1 then return {'no'} end
if redis.call('EXISTS', KEYS[1]) == 0 then return {'no log'} end
local e = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, 5)) .. '/' .. ARGV[4]
redis.call('HSET', KEYS[2], 't', ARGV[2], 's', 'ended', 'q', 0, 'e', e)
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {'ok', e}";

/// `KEYS`: claim.
pub(super) const LOOK: &str = "
local c = redis.call('HMGET', KEYS[2], 's', 'e', 'a', 't')
local time = redis.call('TIME')
local idle = c[3] and time[1] * 1000 + math.floor(time[2] / 1000) - c[3]
return {c[1] or 'none', c[2] or '', idle and string.format('%.0f', math.max(idle, 0)) or '', c[4] or ''}";

/// `KEYS`: claim. `ARGV`: the request, the ID of the run, the topic of the requests, publish ID, token.
pub(super) const STOP: &str = "
local c = redis.call('HMGET', KEYS[2], 't', 's', 'x')
if c[2] == 'stopping' and c[3] == ARGV[2] then return {'ok', ''} end
if c[2] ~= 'active' or c[1] ~= ARGV[6] then return {'no'} end
if redis.call('EXISTS', KEYS[1]) == 0 then return {'no log'} end
redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', 't', ARGV[4], 'n', ARGV[5], 'e', 'stop', 'd', c[1] .. ' ' .. ARGV[3])
redis.call('HSET', KEYS[2], 's', 'stopping', 'x', ARGV[2])
return {'ok', ''}";

/// `KEYS`: claim. `ARGV`: the request, the ID of the run, the topic of the requests, publish ID, kept, age, the keys of the nodes
/// without their names, the topic, the token or nothing, and publish ID and fields of the removal.
pub(super) const REMOVE: &str = "
local c = redis.call('HMGET', KEYS[2], 't', 's', 'x', 'e', 'n')
if c[2] == 'removed' then
  if c[3] == ARGV[2] then return {'ok', c[4]} end
  return {'no'}
end
if (c[1] or '') ~= ARGV[10] or not c[1] and ARGV[6] == '0' then return {'no'} end
if redis.call('EXISTS', KEYS[1]) == 0 then return {'no log'} end
local e = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, 12)) .. '/' .. ARGV[11]
if c[2] == 'active' or c[2] == 'stopping' then
  redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', 't', ARGV[4], 'n', ARGV[5], 'e', 'remove', 'd', c[1] .. ' ' .. ARGV[3])
  redis.call('SREM', ARGV[8] .. c[5], ARGV[9])
end
redis.call('HSET', KEYS[2], 't', c[1] or ARGV[2], 'q', 0, 's', 'removed', 'x', ARGV[2], 'e', e)
redis.call('PEXPIRE', KEYS[2], ARGV[7])
return {'ok', e}";

/// `KEYS`: nodes, set. `ARGV`: node, lease, outage, the keys of the claims and of the nodes without their names, most runs to end,
/// age, the number of fields of the end, these fields, and the attached topics.
pub(super) const BEAT: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local nodes, lease = KEYS[2], tonumber(ARGV[3])
local last = tonumber(redis.call('ZSCORE', nodes, 'last') or 0)
if now < last or now - last > tonumber(ARGV[4]) then
  for _, node in ipairs(redis.call('ZRANGE', nodes, 0, -1)) do redis.call('ZADD', nodes, now + lease, node) end
end
redis.call('ZADD', nodes, now, 'last', now + lease, ARGV[2])
local most, more = tonumber(ARGV[7]), 0
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', nodes, '-inf', string.format('(%.0f', now), 'LIMIT', 0, 16)) do
    for _, topic in ipairs(redis.call('SRANDMEMBER', ARGV[6] .. dead, most)) do
      most = most - 1
      local claim = ARGV[5] .. topic
      local c = redis.call('HMGET', claim, 't', 'n', 's')
      if c[2] == dead and (c[3] == 'active' or c[3] == 'stopping') then
        local id = string.sub(redis.sha1hex(c[1] .. dead), 1, 24)
        local at = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', 't', topic, 'n', id, unpack(ARGV, 10, 9 + ARGV[9]))
        redis.call('HSET', claim, 's', 'ended', 'e', at .. '/' .. id)
        redis.call('PEXPIRE', claim, ARGV[8])
      end
      redis.call('SREM', ARGV[6] .. dead, topic)
    end
    if redis.call('EXISTS', ARGV[6] .. dead) == 0 then redis.call('ZREM', nodes, dead) else more = 1 end
  end
end
local reply = {redis.call('SCARD', KEYS[3]), more}
for i = 10 + ARGV[9], #ARGV do
  local claim = ARGV[5] .. ARGV[i]
  if redis.call('EXISTS', claim) == 0 then reply[#reply + 1] = ARGV[i] else redis.call('HSET', claim, 'a', string.format('%.0f', now)) end
end
return reply";

/// Also forgets members that are no run of the node any more. `KEYS`: set. `ARGV`: the keys of the claims without their names, node.
pub(super) const MEMBERS: &str = "
local reply = {'ok'}
for _, topic in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local c = redis.call('HMGET', ARGV[2] .. topic, 't', 's', 'n')
  if c[3] == ARGV[3] and (c[2] == 'active' or c[2] == 'stopping') then
    reply[#reply + 1] = topic
    reply[#reply + 1] = c[1]
    reply[#reply + 1] = c[2]
  else
    redis.call('SREM', KEYS[2], topic)
  end
end
return reply";
