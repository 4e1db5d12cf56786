local there = redis.call('INCRBY', KEYS[2], 0)
local added = 0
for at = 3, #ARGV do
  if ARGV[2] + at - 2 > there then
    if ARGV[1] == 'stream' then
      redis.call('XADD', KEYS[1], '*', 't', ARGV[at])
    else
      redis.call('LPUSH', KEYS[1], ARGV[at])
    end
    added = added + 1
  end
end
return redis.call('INCRBY', KEYS[2], added)
