-- Sets and removes keys of state topics: all changes or none. docs/publishing.md describes the keys, the arguments and the reply.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'no log'} end
local total, most, topics, plan, at = tonumber(redis.call('HGET', KEYS[2], 'bytes') or 0), tonumber(ARGV[2]), {}, {}, 3
while at <= #ARGV do
  local name, key, sets, last = ARGV[at + 2], ARGV[at + 3], ARGV[at + 4] == 'set', at + 5 + ARGV[at + 5]
  local topic = topics[name]
  if not topic then
    local keys, bytes = string.match(redis.call('HGET', KEYS[2], ':' .. name) or '0 0', '(%d+) (%d+)')
    topic = {at = KEYS[2] .. ':' .. name, keys = tonumber(keys), bytes = tonumber(bytes), sizes = {}}
    topics[name] = topic
  end
  local old, new = topic.sizes[key], 0
  if not old then
    old = redis.call('HSTRLEN', topic.at, key)
    if old > 0 then old = old + #key end
  end
  local fields = {'t', name, 'x', sets and 'set' or 'unset', 'k', key}
  for i = at + 6, last do fields[#fields + 1] = ARGV[i] end
  local change = {topic = topic, key = key, fields = fields, makes = sets or old > 0}
  if sets then
    local parts = {}
    for i, field in ipairs(fields) do parts[i] = #field .. ':' .. field end
    change.kept = table.concat(parts)
    new = 41 + #change.kept + #key
    if old == 0 then topic.keys = topic.keys + 1 end
  elseif old > 0 then
    -- Without this right nothing must be stored.
    redis.call('HDEL', KEYS[2], '')
    topic.keys = topic.keys - 1
  end
  topic.sizes[key], topic.bytes, total = new, topic.bytes + new - old, total + new - old
  plan[#plan + 1] = change
  if sets and topic.keys > tonumber(ARGV[at]) then return {'keys', #plan} end
  if sets and (topic.bytes > tonumber(ARGV[at + 1]) or total > most) then return {'bytes', #plan} end
  at = last + 1
end
local reply = {'ok'}
for _, change in ipairs(plan) do
  local id = ''
  if change.makes then
    id = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', unpack(change.fields))
    if change.kept then
      redis.call('HSET', change.topic.at, change.key, string.format('%-41s', id) .. change.kept)
    else
      redis.call('HDEL', change.topic.at, change.key)
    end
    change.topic.changed = true
  end
  reply[#reply + 1] = id
end
for name, topic in pairs(topics) do
  if topic.changed and topic.keys > 0 then
    redis.call('HSET', KEYS[2], ':' .. name, string.format('%.0f %.0f', topic.keys, topic.bytes))
  elseif topic.changed then
    redis.call('HDEL', KEYS[2], ':' .. name)
  end
end
if total > 0 then redis.call('HSET', KEYS[2], 'bytes', string.format('%.0f', total)) else redis.call('HDEL', KEYS[2], 'bytes') end
return reply
