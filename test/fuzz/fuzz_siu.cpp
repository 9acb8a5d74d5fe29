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
        for (const bool profiled : {true, false}) {
            SiuOptions options;
            options.lenient = lenient;
            if (profiled) {
                options = {lenient, StartSource::service, {"PV1-19", "SCH-5"}, true, true, "ZDS-2", true};
            }
            const SiuReading reading = read_siu(*message, options);
            const std::string json = to_json(reading);
            FUZZ_CHECK(is_valid_utf8(json));
            FUZZ_CHECK(nlohmann::json::accept(json));
            FUZZ_CHECK(lenient || !reading.schedule || reading.error || reading.schedule->filler_id.has_value() ||
                       reading.schedule->placer_id.has_value());
            FUZZ_CHECK(reading.request.has_value() == (reading.header.message_code == "SRM"));
            FUZZ_CHECK(!reading.request || (reading.schedule && reading.schedule->status.empty()));
            for (const SiuWindow& window : reading.request.value_or(SiuRequest()).windows)
                FUZZ_CHECK(window.path.starts_with("ARQ-11") && window.from.value.size() >= 10);
            FUZZ_CHECK(!reading.merges || (reading.header.message_code == "ADT" && !reading.schedule));
            for (const SiuOrder& order : reading.orders.value_or(std::vector<SiuOrder>())) {
                FUZZ_CHECK(order.path.starts_with("ORC[") || order.path.starts_with("OBR["));
                FUZZ_CHECK(!order.wanted_at.has_value() || order.wanted_at.value.size() >= 10);
            }
        }
    }
    return 0;
}
