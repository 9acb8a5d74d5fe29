-- wrk script: what a busy console asks, in turns: a day's list, one appointment, what would conflict, free times, a booking, the guide's list.
-- Arguments: an id that exists.
local id, turn = "1", 0
function init(arguments)
    id = arguments[1]
end

local json = { ["Content-Type"] = "application/json" }

function request()
    turn = turn + 1
    local step = turn % 8
    local day = string.format("2031-%02d-%02d", 1 + math.floor(turn / 4000) % 12, 1 + math.floor(turn / 140) % 28)
    if step == 0 then
        -- 20 minutes apart on two scanners: mostly free, and where not a 409 is the answer.
        local at = string.format("%sT%02d:%02d:00Z", day, 7 + math.floor(turn / 24) % 12, math.floor(turn / 8) % 3 * 20)
        return wrk.format("POST", "/api/v1/appointments", { ["Content-Type"] = "application/json", ["Idempotency-Key"] = "mix-" .. turn },
            string.format('{"patient_id":"MIX%d","patient_name":"Maxine Mixton","starts_at":"%s","modality":"MR","resources":["HMR%d"],"duration_minutes":20}', 1 + turn % 5000, at, 1 + turn % 16 / 8))
    elseif step == 1 then
        return wrk.format("POST", "/api/v1/appointments/check", json, string.format('{"patient_id":"MIX1","starts_at":"%sT10:00:00Z","resources":["HMR1"]}', day))
    elseif step == 2 then
        return wrk.format("POST", "/api/v1/slots/search", json, string.format('{"modality":"MR","earliest":"%sT07:00:00Z","latest":"%sT19:00:00Z","duration_minutes":20,"limit":5}', day, day))
    elseif step == 3 then
        return wrk.format("GET", "/api/v1/appointments/" .. id)
    elseif step == 4 then
        return wrk.format("GET", "/api/appointments?date=" .. day)
    elseif step == 5 then
        return wrk.format("GET", "/api/v1/conflicts?limit=20")
    elseif step == 6 then
        return wrk.format("GET", "/api/v1/nothing/here")
    end
    return wrk.format("GET", "/api/v1/appointments?limit=20&date=" .. day, { ["Accept-Encoding"] = "gzip" })
end
