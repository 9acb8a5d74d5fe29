// The findings of one message, in the order in which they are added and bounded in number. A check that has many places
// to look at asks full() so that a message of nothing but faults costs no more than its length.
#pragma once

#include "radscheduler/validate.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace radscheduler {

// HL7 table 0357, the codes used here.
namespace fault {
inline constexpr std::string_view kSequence = "100";
inline constexpr std::string_view kMissing = "101";
inline constexpr std::string_view kDataType = "102";
inline constexpr std::string_view kTable = "103";
inline constexpr std::string_view kTooLong = "104";
inline constexpr std::string_view kMessageType = "200";
inline constexpr std::string_view kEvent = "201";
inline constexpr std::string_view kProcessing = "202";
inline constexpr std::string_view kVersion = "203";
} // namespace fault

// A place as the paths of findings name it; 0 leaves a level out, and so does 1 for occurrence and repetition.
struct Place {
    std::string_view segment;
    std::size_t occurrence = 1;
    std::size_t field = 0;
    std::size_t repetition = 1;
    std::size_t component = 0;

    std::string path() const;
};

class FindingList {
public:
    // One more than is given out is kept, to know that there are more.
    bool full() const { return findings_.size() > kMaxFindings; }

    void error(const Place& place, std::string_view code, std::string text) {
        add(Severity::error, place, code, std::move(text));
    }
    void warn(const Place& place, std::string_view code, std::string text) {
        add(Severity::warning, place, code, std::move(text));
    }
    void add(Severity severity, const Place& place, std::string_view code, std::string text);

    // With a last finding that says so when there would have been more.
    std::vector<Finding> take();

private:
    std::vector<Finding> findings_;
};

} // namespace radscheduler
