// Reading MRG.
#include "merges.hpp"

#include "../segment_fields.hpp"
#include "identifiers.hpp"

namespace radscheduler::siu {

namespace {

constexpr std::size_t kMaxMerges = 1000; // no real message reaches it

std::string path_of(const Segment& segment) {
    return std::string(segment.name) + "[" + std::to_string(segment.occurrence) + "]";
}

} // namespace

bool is_merge(const MessageHeader& header) {
    const std::string& event = header.trigger_event;
    return header.message_code == "ADT" && (event == "A18" || event == "A30" || event == "A34" || event == "A40");
}

std::vector<SiuMerge> read_merges(Context& context, const Message& message, const std::optional<SiuPatient>& first) {
    std::vector<SiuMerge> merges;
    SiuMerge::Side into;
    SegmentCursor cursor = message.segments();
    for (Segment segment; cursor.next(segment);) {
        if (segment.name == "MSH" && segment.occurrence == 2) break;
        if (segment.name == "PID") {
            into.path = path_of(segment);
            const SegmentFields fields(segment.text, message.delimiters());
            into.identifiers = first && segment.occurrence == 1
                                   ? first->identifiers
                                   : read_identifiers(context, into.path, fields, 3, {2, 4});
        } else if (segment.name == "MRG") {
            if (merges.size() == kMaxMerges) {
                context.warn("TOO_MANY_SEGMENTS", "MRG[1]",
                             "The message holds more merges than are read at once; the last ones were not read.");
                break;
            }
            merges.push_back({into, {}});
            const SegmentFields fields(segment.text, message.delimiters());
            merges.back().from.path = path_of(segment);
            merges.back().from.identifiers = read_identifiers(context, merges.back().from.path, fields, 1, {2, 4});
        }
    }
    return merges;
}

} // namespace radscheduler::siu
