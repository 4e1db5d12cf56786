-- A task is settled, if this claim of it still stands: its result is kept (once), or it waits for its next attempt, or it is
-- laid among the dead. Atomic, so that whatever happens to the connection nothing is lost and nothing counts twice.
-- KEYS: queue (stream) or what the worker holds (list), delayed, dead, results, told
-- ARGV: kind, id (stream) or entry (list), entry, claimed by, fate, index ('-': no task), ...
--   done INDEX RESULT | retry INDEX PAUSE_MS ENTRY | dead INDEX WHY
-- Returns 1: the claim stood. 2: it stood no longer, and its result is kept all the same. In vain: 3, it stood, and another's result was
-- kept before; 0, it stood no longer.
local stands
if ARGV[1] == 'stream' then
  stands = redis.call('XACK', KEYS[1], 'workers', ARGV[2])
else
  -- Who takes what came first settles the oldest of a list, which is at its end.
  stands = redis.call('LREM', KEYS[1], -1, ARGV[2])
end
local claim = ARGV[2] .. ' ' .. ARGV[4]
local fate, index = ARGV[5], ARGV[6]

local codes = {retried = 1, buried = 1, kept = 2, spent = 3, moot = 3, vain = 0}
local function tell(word)
  redis.call('HSET', KEYS[5], claim, word)
  return codes[word]
end
-- What was told before, and its answer was lost, is told again.
local told = redis.call('HGET', KEYS[5], claim)
if told then return codes[told] end

if fate == 'done' then
  -- Kept whether the claim stands or not: the work was done.
  local result = ARGV[7] .. ' ' .. ARGV[4]
  if redis.call('HSETNX', KEYS[4], index, result) == 1 then
    if stands == 1 then return 1 end
    return tell('kept')
  end
  if stands == 1 then return tell('spent') end
  -- The same text is the same claim, asked twice.
  if redis.call('HGET', KEYS[4], index) == result then return 1 end
  return tell('vain')
end
if stands == 0 then
  if fate == 'dead' then return tell('vain') end
  return 0
end
if redis.call('HEXISTS', KEYS[4], index) == 1 then
  return tell(fate == 'dead' and 'spent' or 'moot')
end
if fate == 'retry' then
  local now = redis.call('TIME')
  redis.call('ZADD', KEYS[2], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[7], ARGV[8])
else
  redis.call('XADD', KEYS[3], '*', 'why', ARGV[7], 't', ARGV[3])
end
return tell(fate == 'dead' and 'buried' or 'retried')
