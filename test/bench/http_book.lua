-- wrk script: books the slots of radbench.slot() one after the other, as booking.sql does. Arguments: the first number, and what is preferred (RFC 7240).
local number = 0
local preference = nil
local start = 1799046000 -- 2027-01-04 07:00 UTC
function init(arguments)
    number = tonumber(arguments[1])
    preference = arguments[2]
end

function request()
    local n = number
    number = number + 1
    local slot = math.floor(n / 200)
    local at = start + math.floor(slot / 120) * 604800 + math.floor(slot / 24) % 5 * 86400 + slot % 24 * 1800
    local scanner = n % 200
    local body = string.format('{"patient_id":"P%d","starts_at":"%s","procedure":"MRI001","duration_minutes":30,"resources":["BENCHMR%d","BENCHT%d"]}',
        1 + n % 3000, os.date("!%Y-%m-%dT%H:%M:%SZ", at), scanner, scanner)
    return wrk.format("POST", nil, {["Content-Type"] = "application/json", ["Idempotency-Key"] = "bench-" .. n, ["Prefer"] = preference}, body)
end
