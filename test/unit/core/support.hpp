// Shared by the core tests: building messages, reading them, finding optional material beside the repository.
#pragma once

#include "radscheduler/json_token.hpp"
#include "radscheduler/message.hpp"
#include "radscheduler/siu/reader.hpp"

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace radscheduler::test {

inline constexpr std::string_view kHeader = "MSH|^~\\&|A|B|C|D|20260101120000||SIU^S12^SIU_S12|M1|P|2.5.1\r";

inline constexpr std::string_view kSample =
    "MSH|^~\\&|RIS|MEMORIAL|RADSCHED|RAD|20240115100000||SIU^S12|MSG001|P|2.5\r"
    "SCH||1234|||||||30|MIN|^^30^202401151000^^R||||||||||||||SCHEDULED\r"
    "PID|1||MRN123456||DOE^JOHN||19800101|M|||123 MAIN ST^^BOSTON^MA^02101||617-555-0123\r"
    "RGS|1|A\r"
    "AIS|1|A|MRI001^MRI BRAIN W/O CONTRAST|202401151000\r"
    "AIP|1|A|RADIOLOGIST^DOE^JOHN^MD|202401151000";

std::string with_header(std::string_view segments);

// Normalised and opened; fails the test and gives nothing when the text is refused.
struct Opened {
    std::unique_ptr<const std::string> text; // behind a pointer: the view must survive a move
    std::optional<Message> message;
};
Opened open(std::string_view bytes);

// to_json(read_siu(...)), parsed.
nlohmann::json read_json(std::string_view bytes, const SiuOptions& options = {});

// The same for a SIU^S12 whose segments after MSH are given.
nlohmann::json read_segments(std::string_view segments, const SiuOptions& options = {});

bool has_warning(const nlohmann::json& reading, std::string_view code, std::string_view path);
std::size_t count_warnings(const nlohmann::json& reading, std::string_view code);

// A parsed JSON value as the flat list that message_from_json() takes; the value must outlive it.
std::vector<JsonToken> tokens_of(const nlohmann::json& value);

// A folder or file named by an environment variable, or found beside the repository; nullopt: tests skip.
std::optional<std::filesystem::path> beside_repository(const char* variable, const char* relative);

} // namespace radscheduler::test
