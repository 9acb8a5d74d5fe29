// The strict check of anything: bounded, in whole sentences, with paths that can be read, and the same again.
#include "check.hpp"
#include "radscheduler/charset.hpp"
#include "radscheduler/path.hpp"
#include "radscheduler/validate.hpp"

#include <cstddef>
#include <cstdint>

using namespace radscheduler;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Result<std::string> canonical = normalize({reinterpret_cast<const char*>(data), size});
    if (!canonical) return 0;
    const Result<Message> message = Message::open(*canonical);
    if (!message) return 0;

    const std::vector<Finding> findings = validate(*message);
    FUZZ_CHECK(findings.size() <= kMaxFindings + 1);
    for (const Finding& finding : findings) {
        FUZZ_CHECK(!hl7_error_text(finding.code).empty());
        FUZZ_CHECK(finding.text.ends_with('.'));
        FUZZ_CHECK(is_valid_utf8(finding.text));
        if (finding.path.empty()) continue;
        const Result<Path> path = Path::parse_extent(finding.path);
        FUZZ_CHECK(path);
        FUZZ_CHECK(path->to_string() == finding.path);
    }

    const std::vector<Finding> again = validate(*message);
    FUZZ_CHECK(again.size() == findings.size());
    for (std::size_t i = 0; i < again.size(); ++i)
        FUZZ_CHECK(again[i].path == findings[i].path && again[i].text == findings[i].text);
    return 0;
}
