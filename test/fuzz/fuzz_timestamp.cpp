// Times: what is accepted prints as ISO text that is read back as the same time.
#include "check.hpp"
#include "radscheduler/timestamp.hpp"

#include <cstddef>
#include <cstdint>

using namespace radscheduler;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Result<Timestamp> stamp = Timestamp::parse(text);
    if (!stamp) {
        FUZZ_CHECK(stamp.error().code == ErrorCode::bad_timestamp);
        return 0;
    }
    const std::string iso = stamp->iso();
    if (stamp->has_day() && stamp->year <= 2200) {
        const Result<Timestamp> again = Timestamp::parse(iso);
        FUZZ_CHECK(again);
        FUZZ_CHECK(again->iso() == iso);
        FUZZ_CHECK(again->wall_seconds() == stamp->wall_seconds());
        FUZZ_CHECK(!stamp->has_time() || again->offset_minutes == stamp->offset_minutes);
    }
    FUZZ_CHECK(stamp->plus_minutes(90).wall_seconds() == stamp->wall_seconds() + 5400);
    return 0;
}
