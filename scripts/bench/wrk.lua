-- Makes wrk send the requests of the file $WRK_REQUESTS, at random when there are several, and report in JSON.
-- The file holds whole HTTP/1.1 requests, separated by NUL.

local file = assert(io.open(assert(os.getenv("WRK_REQUESTS")), "rb"))
local requests = {}
for one in file:read("*a"):gmatch("[^%z]+") do
  requests[#requests + 1] = one
end
file:close()
math.randomseed(tonumber(os.getenv("WRK_SEED") or "1"))

if #requests == 1 then
  -- Not a global `request`: wrk then keeps the one request and does not call Lua again.
  wrk.format = function() return requests[1] end
else
  local random, count = math.random, #requests
  request = function() return requests[random(count)] end
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "bytes": %d, "not_2xx_or_3xx": %d, "socket_errors": %d, ' ..
      '"p50": %d, "p99": %d, "max": %d}\n',
    summary.requests, summary.duration, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
