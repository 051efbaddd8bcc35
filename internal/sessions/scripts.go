package sessions

// What has to happen at once, as scripts. Positions are whole numbers that begin at Redis's clock in microseconds: those after a
// loss of Redis's data are larger than all before. They are below 2^53, and so exact in Lua.

// scriptStart makes a group where there is none. KEYS: the group. It leaves the last position in pos.
const scriptStart = `
local function start(group)
  local pos = redis.call('HGET', group, 'pos')
  if pos then return pos end
  local now = redis.call('TIME')
  pos = string.format('%.0f', now[1] * 1000000 + now[2])
  redis.call('HSET', group, 'pos', pos, 'trimmed', pos, 'bytes', 0, 'len', 0)
  return pos
end
`

// scriptAppend appends entries and gives up what is too old or too much. KEYS: stream, group. ARGV: bytes, ms to keep, process,
// entries.
const scriptAppend = scriptStart + `
local stream, group, most, keep = KEYS[1], KEYS[2], tonumber(ARGV[1]), tonumber(ARGV[2])
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local pos = tonumber(start(group))
local m = redis.call('HMGET', group, 'bytes', 'len', 'trimmed')
local bytes, len, trimmed = tonumber(m[1]), tonumber(m[2]), m[3]
if redis.call('XLEN', stream) ~= len then
  redis.call('DEL', stream)
  bytes, len, trimmed = 0, 0, string.format('%.0f', pos)
end
for i = 4, #ARGV do
  pos = pos + 1
  redis.call('XADD', stream, string.format('%.0f-0', pos), 't', string.format('%.0f', ms), 'e', ARGV[i])
  bytes = bytes + #ARGV[i] + 128
end
len = len + #ARGV - 3
local before, cut = len, true
while cut and len > 0 do
  cut = false
  for _, head in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', 8)) do
    if bytes <= most and tonumber(head[2][2]) >= ms - keep then cut = false break end
    bytes, len, cut = bytes - #head[2][4] - 128, len - 1, true
    trimmed = string.match(head[1], '^%d+')
    redis.call('XDEL', stream, head[1])
  end
end
if len < before then -- processes of which nothing is left
  local all = redis.call('HGETALL', group)
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 3) == 'by:' and tonumber(all[i + 1]) <= tonumber(trimmed) then redis.call('HDEL', group, all[i]) end
  end
end
local last = string.format('%.0f', pos)
redis.call('HSET', group, 'pos', last, 'trimmed', trimmed, 'bytes', bytes, 'len', len, 'by:' .. ARGV[3], last)
redis.call('PEXPIRE', stream, keep)
redis.call('PEXPIRE', group, keep)
return last
`

// scriptSave writes sessions. KEYS: session, group, … ARGV: process, ms to keep the group, then for each session: data (empty: it is
// over), position where it began ('0': now), '1' where its client is away, ms to keep. It answers 1, or 0 where another process
// has the session.
const scriptSave = scriptStart + `
local out = {}
for i = 1, #KEYS / 2 do
  local key, group = KEYS[2 * i - 1], KEYS[2 * i]
  local data, at, away, keep = unpack(ARGV, 4 * i - 1, 4 * i + 2)
  local owner = redis.call('HGET', key, 'owner')
  if owner and owner ~= ARGV[1] then
    out[i] = 0
  elseif data == '' then
    redis.call('DEL', key)
    out[i] = 1
  else
    local pos = start(group)
    redis.call('PEXPIRE', group, ARGV[2])
    redis.call('HSET', key, 'owner', ARGV[1], 'data', data)
    if at ~= '0' then redis.call('HSET', key, 'at', at) else redis.call('HSETNX', key, 'at', pos) end
    if away == '1' then redis.call('HSETNX', key, 'after', pos) else redis.call('HSET', key, 'after', pos) end
    redis.call('PEXPIRE', key, keep)
    out[i] = 1
  end
end
return out
`

// scriptFind looks for a session. KEYS: session, group. It answers owner, data, at, after, and 1 where others than its owner have
// published since it began; the owner alone where it has not saved it yet.
const scriptFind = `
local s = redis.call('HMGET', KEYS[1], 'owner', 'data', 'at', 'after')
if not s[1] then return {} end
if not s[2] then return {s[1]} end
local others = 0
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 3) == 'by:' and all[i] ~= 'by:' .. s[1] and tonumber(all[i + 1]) > tonumber(s[3]) then others = 1 end
end
return {s[1], s[2], s[3], s[4], others}
`

// scriptClaim gives a session to a process. KEYS: session. ARGV: process, whose it was, ms until another may have it if the process
// does not save it. It answers data, at, after, or nothing where it is another's by now.
const scriptClaim = `
local s = redis.call('HMGET', KEYS[1], 'owner', 'data', 'at', 'after')
if not s[2] or s[1] ~= ARGV[2] then return {} end
redis.call('HDEL', KEYS[1], 'data', 'at', 'after')
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {s[2], s[3], s[4]}
`

// scriptRead reads a group from behind a position. KEYS: stream, group. ARGV: position. It answers the last position, the trimmed
// one, and the entries.
const scriptRead = `
local m = redis.call('HMGET', KEYS[2], 'pos', 'trimmed', 'len')
if not m[1] then return {'0', '0', {}} end
if redis.call('XLEN', KEYS[1]) ~= tonumber(m[3]) then return {m[1], m[1], {}} end
local from = ARGV[1]
if tonumber(from) > tonumber(m[1]) then from = '0' end
return {m[1], m[2], redis.call('XRANGE', KEYS[1], '(' .. from, '+')}
`
