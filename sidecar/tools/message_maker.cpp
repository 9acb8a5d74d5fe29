#include "tools/message_maker.hpp"

#include <array>
#include <ctime>

#include <spdlog/fmt/fmt.h>

namespace radscheduler::sidecar::tools {
namespace {

struct Exam {
    std::string_view code;
    std::string_view text;
};

constexpr std::array<Exam, 4> exams{{
    {"MRI001", "MRI BRAIN W/O CONTRAST"},
    {"CT002", "CT CHEST W CONTRAST"},
    {"XR003", "CHEST XRAY 2 VIEWS"},
    {"US004", "ABDOMINAL ULTRASOUND"},
}};

constexpr std::uint64_t scanners = 40;
constexpr std::time_t opening_hour = 9;
constexpr std::uint64_t slots_per_day = 16; // half hours
constexpr std::uint64_t crowded_scanners = 4;
constexpr std::time_t first_monday = 1893974400; // 2030-01-07
constexpr std::time_t days_open = 5;             // a new site opens Monday to Friday; any other day would break a rule

std::string formatted(std::time_t when, const char* format) {
    std::tm parts{};
    gmtime_r(&when, &parts);
    std::array<char, 32> text{};
    const auto size = std::strftime(text.data(), text.size(), format, &parts);
    return {text.data(), size};
}

std::string day_and_time(std::uint64_t slot) {
    const auto day = static_cast<std::time_t>(slot / slots_per_day);
    const auto half_hour = static_cast<std::time_t>(slot % slots_per_day);
    return formatted(first_monday + (day / days_open * 7 + day % days_open) * 86400 + opening_hour * 3600 +
                         half_hour * 1800,
                     "%Y%m%d%H%M");
}

// MSH-7 to a tenth of a millisecond: two messages of one appointment in one second have an order too.
std::string written(std::int64_t stamp) {
    constexpr std::int64_t per_second = 10'000;
    return fmt::format("{}.{:04}+0000", formatted(stamp / per_second, "%Y%m%d%H%M%S"), stamp % per_second);
}

std::string_view status_of(LoadEvent event) {
    switch (event) {
    case LoadEvent::cancel:
        return "CANCELLED";
    case LoadEvent::no_show:
        return "NOSHOW";
    default:
        return "SCHEDULED";
    }
}

} // namespace

std::string_view guide_sample() {
    return "MSH|^~\\&|RIS|MEMORIAL|RADSCHED|RAD|20240115100000||SIU^S12|MSG001|P|2.5\r"
           "SCH||1234|||||||30|MIN|^^30^202401151000^^R||||||||||||||SCHEDULED\r"
           "PID|1||MRN123456||DOE^JOHN||19800101|M|||123 MAIN ST^^BOSTON^MA^02101||617-555-0123\r"
           "RGS|1|A\r"
           "AIS|1|A|MRI001^MRI BRAIN W/O CONTRAST|202401151000\r"
           "AIP|1|A|RADIOLOGIST^DOE^JOHN^MD|202401151000";
}

std::string load_control_id(const std::string& run, const LoadStep& step) {
    return fmt::format("{}-{}", run, step.number);
}

std::string load_message(const std::string& run, const LoadStep& step, bool colliding) {
    const auto scanner = step.slot % (colliding ? crowded_scanners : scanners);
    const auto slot = colliding ? step.slot / crowded_scanners % slots_per_day : step.slot / scanners;
    const auto start = day_and_time(slot);
    const auto& exam = exams[scanner % exams.size()];
    const auto number = step.appointment;
    return fmt::format(
        "MSH|^~\\&|LOAD|SEND|RADSCHED|RAD|{}||SIU^{}^SIU_S12|{}|P|2.5.1\r"
        "SCH||{}-{}|||||||30|MIN|^^30^{}^^R||||||||||||||{}\r"
        "{}"
        "PID|1||L{}-{}^^^SEND^MR||LOAD^PATIENT {}||19800101|F|||1 TEST ST^^BOSTON^MA^02101||617-555-{:04}\r"
        "RGS|1|A\r"
        "AIS|1|A|{}^{}|{}\r"
        "AIG|1|A|{}-SC{:02}^LOAD SCANNER {}|EQUIPMENT||||{}\r"
        "AIP|1|A|{}-T{:02}^LOAD^TECH {}|TECHNOLOGIST||{}\r",
        written(step.stamp), name_of(step.event), load_control_id(run, step), run, number, start, status_of(step.event),
        step.event == LoadEvent::modify ? fmt::format("NTE|1||CHANGED BY MESSAGE {}\r", step.number) : "", run, number,
        number, number % 10000, exam.code, exam.text, start, run, scanner, scanner, start, run, scanner, scanner,
        start);
}

} // namespace radscheduler::sidecar::tools
