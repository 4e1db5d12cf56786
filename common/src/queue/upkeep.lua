-- What must be done now and then: tasks whose pause is over are due again; what was claimed and not settled for too long goes back
-- into the queue, or among the dead when it was tried too often; what a stream has done with is cut off. A thousand of each at a time:
-- nobody else is served meanwhile.
-- KEYS: queue, delayed, dead, upkeep, consumers, results
-- ARGV: kind, consumer, visibility_ms, attempts_max, work ('all', or 'due': no more than what is due), workers
-- Returns {due again, claimed back, given up, no task, needless}, each of all that this consumer ever did: an answer may be lost; and
-- whether there is more to be done.
local AT_ONCE = 1000
local due_again, back, given_up, foreign, needless, more = 0, 0, 0, 0, 0, 0

-- The 25th byte of an entry is the lowest of how often it was tried; beyond 255 it stays there.
local function tried(entry)
  local attempts = math.min(entry:byte(25) + 1, 255)
  return attempts, entry:sub(1, 24) .. string.char(attempts) .. entry:sub(26)
end

local function bury(entry, why)
  redis.call('XADD', KEYS[3], '*', 'why', why, 't', entry)
end

-- What becomes of something that was held too long: `put` puts it back.
local function release(entry, is_task, put)
  if not is_task or #entry < 32 then
    bury(entry, 'no task')
    foreign = foreign + 1
    return
  end
  -- Its index is in bytes 17 to 24. Somebody was late, and did it all the same.
  if redis.call('HEXISTS', KEYS[6], string.format('%.0f', (struct.unpack('<I8', entry, 17)))) == 1 then
    needless = needless + 1
    return
  end
  local attempts, again = tried(entry)
  if attempts >= tonumber(ARGV[4]) then
    bury(again, 'claimed too often')
    given_up = given_up + 1
  else
    put(again)
    back = back + 1
  end
end

local now = redis.call('TIME')
local ready =
  redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now[1] * 1000 + math.floor(now[2] / 1000), 'LIMIT', 0, AT_ONCE)
for _, entry in ipairs(ready) do
  if ARGV[1] == 'stream' then
    redis.call('XADD', KEYS[1], '*', 't', entry)
  else
    redis.call('LPUSH', KEYS[1], entry)
  end
  redis.call('ZREM', KEYS[2], entry)
  due_again = due_again + 1
end

local function lease_of(consumer) return KEYS[5] .. ':' .. consumer end

if ARGV[1] == 'list' then
  -- Others look after whatever its workers hold, should it die. Every time: it may have been thought dead.
  redis.call('HSET', KEYS[5], ARGV[2], ARGV[6])
  redis.call('SET', lease_of(ARGV[2]), 1, 'PX', ARGV[3])
  redis.call('DEL', lease_of(ARGV[2]) .. ':empty')
end

local function in_all()
  local fields = {}
  for at, now in ipairs({due_again, back, given_up, foreign, needless}) do
    fields[at] = ARGV[2] .. ' ' .. at
    if now > 0 then redis.call('HINCRBY', KEYS[4], fields[at], now) end
  end
  local sums = redis.call('HMGET', KEYS[4], unpack(fields))
  for at = 1, #fields do sums[at] = tonumber(sums[at] or 0) end
  sums[#fields + 1] = more
  return sums
end
if ARGV[5] == 'due' then return in_all() end

if ARGV[1] == 'stream' then
  local from = redis.call('HGET', KEYS[4], 'cursor') or '0-0'
  local some = redis.call('XAUTOCLAIM', KEYS[1], 'workers', ARGV[2], ARGV[3], from, 'COUNT', AT_ONCE)
  redis.call('HSET', KEYS[4], 'cursor', some[1])
  if some[1] ~= '0-0' then more = 1 end
  for _, one in ipairs(some[2]) do
    -- Before 7.0 what is no longer in the stream is nil here.
    if one and one[2] then
      -- Another field than ours is no task.
      local put = function(again) redis.call('XADD', KEYS[1], '*', 't', again) end
      release(one[2][2], one[2][1] == 't', put)
      redis.call('XACK', KEYS[1], 'workers', one[1])
    end
  end
  local held = redis.call('XPENDING', KEYS[1], 'workers')
  if held[1] > 0 then
    redis.call('XTRIM', KEYS[1], 'MINID', held[2])
  else
    -- Other groups are others' business.
    for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
      local of = {}
      for at = 1, #group, 2 do of[group[at]] = group[at + 1] end
      if of['name'] == 'workers' and of['last-delivered-id'] ~= '0-0' then
        redis.call('XTRIM', KEYS[1], 'MINID', of['last-delivered-id'])
      end
    end
  end
else
  local put = function(again) redis.call('RPUSH', KEYS[1], again) end
  local consumers = redis.call('HGETALL', KEYS[5])
  for at = 1, #consumers, 2 do
    local lease = lease_of(consumers[at])
    -- Who held nothing is looked at again later: a dyno that had only stood still goes on claiming before it says so.
    if redis.call('EXISTS', lease, lease .. ':empty') == 0 then
      local moved = 0
      for worker = 0, consumers[at + 1] - 1 do
        local held = KEYS[1] .. ':held:' .. consumers[at] .. ':' .. worker
        while moved < AT_ONCE do
          local entry = redis.call('RPOP', held)
          if not entry then break end
          release(entry, true, put)
          moved = moved + 1
        end
      end
      if moved == AT_ONCE then
        more = 1
      elseif moved == 0 then
        redis.call('SET', lease .. ':empty', 1, 'PX', 10 * ARGV[3])
      end
    end
  end
end
return in_all()
