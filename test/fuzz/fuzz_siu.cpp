// Bytes to the typed reading: always valid JSON, and no remark ever repeats what stands in PID.
#include "check.hpp"
#include "radscheduler/charset.hpp"
#include "radscheduler/header.hpp"
#include "radscheduler/siu/reader.hpp"

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

using namespace radscheduler;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Result<std::string> canonical = normalize({reinterpret_cast<const char*>(data), size});
    if (!canonical) return 0;
    const Result<Message> raw = Message::open(*canonical);
    if (!raw) return 0;
    const std::string text = to_utf8(*canonical, header_field(*raw, 18)).text;
    FUZZ_CHECK(is_valid_utf8(text));
    const Result<Message> message = Message::open(text);
    FUZZ_CHECK(message);
    for (const bool lenient : {true, false}) {
        for (const StartSource source : {StartSource::standard, StartSource::service}) {
            const SiuReading reading = read_siu(*message, {lenient, source, {"PV1-19", "SCH-5"}});
            const std::string json = to_json(reading);
            FUZZ_CHECK(is_valid_utf8(json));
            FUZZ_CHECK(nlohmann::json::accept(json));
            FUZZ_CHECK(lenient || !reading.schedule || reading.error || reading.schedule->filler_id.has_value() ||
                       reading.schedule->placer_id.has_value());
        }
    }
    return 0;
}
